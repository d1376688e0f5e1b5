-- Whether the log of each ENI has times no finer than its windows: the first sights of its pairs then share one second of
-- the window. Of fewer than three pairs that is chance, unless their last sights are the ends of windows as well.
grids AS (
    SELECT
        interface_id,
        -- Squared length of the mean of whole vectors, so that no order of rows changes it.
        power(CAST(sum(x) AS DOUBLE), 2) + power(CAST(sum(y) AS DOUBLE), 2) >= 0.9 * power(1000.0 * count(*), 2)
            AND (count(*) >= 3 OR 2 * sum(ends) > count(*)) AS on_grid
    FROM (
        SELECT
            interface_id,
            CAST(round(1000 * cos(turn)) AS BIGINT) AS x, CAST(round(1000 * sin(turn)) AS BIGINT) AS y,
            CASE WHEN seen_s % each_s <= 1 THEN 1 ELSE 0 END AS ends
        FROM (
            SELECT
                interface_id,
                greatest(window_s, 1) AS each_s,
                2 * pi() * (CAST(first_seen AS BIGINT) % greatest(window_s, 1)) / greatest(window_s, 1) AS turn,
                CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT) + 1 AS seen_s
            FROM pairs
        )
    )
    GROUP BY interface_id
),
