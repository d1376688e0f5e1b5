-- question: Which hosts are rejected on their way out?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column rejected: rejected records
-- column remotes: remotes
-- column ports: different ports
-- column example: one of the remotes
-- column first_seen: first second
-- column last_seen: last second
SELECT host, count(*) AS rejected, distinct_hosts(remote) AS remotes, count(DISTINCT dstport) AS ports,
    min(concat(remote, ':', dstport)) AS example, min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND action = 'REJECT' AND outbound AND vantage <> 'transit'
GROUP BY host
ORDER BY rejected DESC, host
LIMIT $limit
