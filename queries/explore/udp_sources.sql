-- question: Which addresses send UDP?
-- origin: CloudWatch Logs Insights: IP addresses using UDP
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 20: rows at most
-- column srcaddr: sender
-- column records: flow records
-- column bytes: bytes
-- column ports: different ports it sent to
SELECT srcaddr, count(*) AS records, sum(bytes) AS bytes, count(DISTINCT dstport) AS ports
FROM flows
WHERE start >= $from AND start < $to AND protocol = 17
GROUP BY srcaddr
ORDER BY records DESC, srcaddr
LIMIT $limit
