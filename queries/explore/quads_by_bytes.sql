-- question: Which combinations of two addresses and two ports move the most bytes?
-- origin: AWS Security Analytics Bootstrap: bytes per quad
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column srcaddr: sender
-- column srcport: sender's port
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column bytes: bytes
-- column records: flow records
SELECT srcaddr, srcport, dstaddr, dstport, sum(bytes) AS bytes, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr, srcport, dstaddr, dstport
ORDER BY bytes DESC NULLS LAST, srcaddr, srcport, dstaddr, dstport
LIMIT $limit
