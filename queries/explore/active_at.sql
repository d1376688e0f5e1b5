-- question: Who was talking at a given moment?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter at time: the moment
-- parameter around_s duration = 60s: how long before and after
-- parameter limit integer = 50: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column role: client or server: the host's part
-- column records: flow records
-- column bytes: bytes
-- column first_seen: first second
-- column last_seen: last second
SELECT host, remote, port, role, count(*) AS records, sum(bytes) AS bytes, min(start) AS first_seen,
    max("end") AS last_seen
FROM flows
WHERE start < $at + CAST(concat($around_s, ' seconds') AS INTERVAL)
    AND "end" >= $at - CAST(concat($around_s, ' seconds') AS INTERVAL)
    AND start >= $at - INTERVAL '1 hour' AND host IS NOT NULL
GROUP BY host, remote, port, role
ORDER BY bytes DESC NULLS LAST, host, remote, port, role
LIMIT $limit
