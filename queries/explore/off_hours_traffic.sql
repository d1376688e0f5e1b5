-- question: Which hosts send outside working hours?
-- origin: tailpipe: off-hours traffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter first_hour integer = 7: first working hour, 0 to 23 UTC
-- parameter last_hour integer = 18: last working hour, 0 to 23 UTC
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column bytes_off: bytes out outside the hours
-- column bytes_all: bytes out in all
-- column share_off: share outside the hours 0 to 1
WITH sided AS (
    SELECT host, bytes, date_part('hour', start) NOT BETWEEN $first_hour AND $last_hour
        OR date_part('dow', start) IN (0, 6) AS off
    FROM flows
    WHERE start >= $from AND start < $to AND outbound AND vantage <> 'transit' AND NOT is_internal(remote) AND action = 'ACCEPT'
)
SELECT host, coalesce(sum(bytes) FILTER (WHERE off), 0) AS bytes_off, sum(bytes) AS bytes_all,
    round(coalesce(sum(bytes) FILTER (WHERE off), 0) / greatest(1.0, sum(bytes)), 3) AS share_off
FROM sided
GROUP BY host
ORDER BY bytes_off DESC, host
LIMIT $limit
