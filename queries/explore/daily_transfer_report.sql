-- question: Which internal addresses sent the most each day?
-- origin: AWS Security Analytics Bootstrap: daily transfer report of the top internal IPs
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter top integer = 10: addresses a day
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- column day: day, UTC
-- column srcaddr: sender
-- column bytes: bytes
-- column rank: rank within the day
WITH days AS (
    SELECT window(start, '1 day') AS day, srcaddr, sum(bytes) AS bytes
    FROM flows
    WHERE start >= $from AND start < $to AND is_internal(srcaddr) AND outbound AND vantage <> 'transit'
    GROUP BY window(start, '1 day'), srcaddr
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY day ORDER BY bytes DESC, srcaddr) AS rank FROM days
)
SELECT day, srcaddr, bytes, rank
FROM ranked
WHERE rank <= $top
ORDER BY day, rank
