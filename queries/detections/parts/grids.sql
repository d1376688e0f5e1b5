-- Whether the log of each ENI has times no finer than its windows: the first sights of its pairs then share one second of
-- the window. An ENI with one pair counts as such.
grids AS (
    SELECT
        account_id, region, interface_id,
        -- Squared length of the mean of whole vectors, so that no order of rows changes it.
        power(CAST(sum(x) AS DOUBLE), 2) + power(CAST(sum(y) AS DOUBLE), 2)
            >= 0.9 * power(1000.0 * count(*), 2) AS on_grid
    FROM (
        SELECT
            account_id, region, interface_id,
            CAST(round(1000 * cos(turn)) AS BIGINT) AS x, CAST(round(1000 * sin(turn)) AS BIGINT) AS y
        FROM (
            SELECT
                account_id, region, interface_id,
                2 * pi() * (CAST(first_seen AS BIGINT) % greatest(window_s, 1)) / greatest(window_s, 1) AS turn
            FROM pairs
        )
    )
    GROUP BY account_id, region, interface_id
),
