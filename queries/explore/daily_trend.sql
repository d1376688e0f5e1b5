-- question: How much traffic is there day by day?
-- origin: tailpipe: activity dashboard, daily trend
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- column day: day, UTC
-- column records: flow records
-- column bytes: bytes
-- column accepted: accepted records
-- column rejected: rejected records
SELECT window(start, '1 day') AS day, count(*) AS records, sum(bytes) AS bytes,
    count(*) FILTER (WHERE action = 'ACCEPT') AS accepted, count(*) FILTER (WHERE action = 'REJECT') AS rejected
FROM flows
WHERE start >= $from AND start < $to
GROUP BY window(start, '1 day')
ORDER BY day
