-- question: Which two addresses have the most records?
-- origin: AWS Security Analytics Bootstrap: IP pairs by records
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column action: ACCEPT or REJECT
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstaddr, action, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr, dstaddr, action
ORDER BY records DESC, srcaddr, dstaddr, action
LIMIT $limit
