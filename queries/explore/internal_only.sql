-- question: Which traffic stays between internal addresses?
-- origin: AWS Security Analytics Bootstrap: internal only
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstaddr, dstport, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND is_internal(srcaddr) AND is_internal(dstaddr)
GROUP BY srcaddr, dstaddr, dstport
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr, dstport
LIMIT $limit
