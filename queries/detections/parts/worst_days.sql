-- The heaviest day of each identity in `beyond`, with the span of all of them.
worst AS (
    SELECT *
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY identity ORDER BY weight DESC, day) AS nth,
            count(*) OVER (PARTITION BY identity) AS days_told,
            min(first_seen) OVER (PARTITION BY identity) AS first_told,
            max(last_seen) OVER (PARTITION BY identity) AS last_told,
            sum(events) OVER (PARTITION BY identity) AS events_told
        FROM beyond
    )
    WHERE nth = 1
),
-- All days, as dates.
dates AS (
    SELECT identity, array_slice(array_agg(CAST(CAST(day AS DATE) AS VARCHAR) ORDER BY day), 1, 14) AS days
    FROM beyond
    GROUP BY identity
),
told AS (
    SELECT w.*, d.days FROM worst w JOIN dates d ON d.identity = w.identity
)
