-- question: Which pairs and services move the most bytes, and when?
-- origin: AWS Security Analytics Bootstrap: summary of pairs by bytes
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column action: ACCEPT or REJECT
-- column first_seen: first second
-- column last_seen: last second
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstaddr, dstport, action, min(start) AS first_seen, max("end") AS last_seen,
    count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr, dstaddr, dstport, action
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr, dstport, action
LIMIT $limit
