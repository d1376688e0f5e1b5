-- question: When was each sender first and last seen, and on which ports?
-- origin: AWS Security Analytics Bootstrap: sources first and last seen with ports
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter sources networks = 0.0.0.0/0,::/0: only these senders
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column first_seen: first second
-- column last_seen: last second
-- column ports: different ports it sent to
-- column lowest_port: the lowest of them
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, min(start) AS first_seen, max("end") AS last_seen,
    count(DISTINCT dstport) AS ports, min(dstport) AS lowest_port, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND ip_in(srcaddr, $sources)
GROUP BY srcaddr
ORDER BY first_seen, srcaddr
LIMIT $limit
