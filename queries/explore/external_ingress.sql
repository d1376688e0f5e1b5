-- question: Which external addresses got in, and where?
-- origin: tailpipe: external ingress
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column hosts: receivers
-- column ports: different ports
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, distinct_hosts(dstaddr) AS hosts, count(DISTINCT dstport) AS ports, count(*) AS records,
    sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND action = 'ACCEPT' AND NOT is_internal(srcaddr) AND NOT outbound
    AND role = 'server'
GROUP BY srcaddr
ORDER BY bytes DESC NULLS LAST, srcaddr
LIMIT $limit
