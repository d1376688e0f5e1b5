-- question: Where did AWS lose records?
-- origin: CloudWatch Logs Insights: records with SKIPDATA
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column interface_id: ENI
-- column windows: windows with lost records
-- column first_seen: first second
-- column last_seen: last second
SELECT interface_id, count(*) AS windows, min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND log_status = 'SKIPDATA'
GROUP BY interface_id
ORDER BY windows DESC, interface_id
LIMIT $limit
