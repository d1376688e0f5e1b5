-- question: Which external addresses are rejected most often?
-- origin: tailpipe: unauthorised attempts, rejected volume
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column attempts: rejected records
-- column hosts: hosts it tried
-- column ports: ports it tried
-- column first_seen: first second
-- column last_seen: last second
SELECT srcaddr, count(*) AS attempts, distinct_hosts(dstaddr) AS hosts, count(DISTINCT dstport) AS ports,
    min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND action = 'REJECT' AND NOT is_internal(srcaddr)
GROUP BY srcaddr
ORDER BY attempts DESC, srcaddr
LIMIT $limit
