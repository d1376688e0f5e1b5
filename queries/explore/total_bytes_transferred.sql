-- question: Between which two addresses did the most bytes pass?
-- origin: AWS Athena integration: VpcFlowLogsTotalBytesTransferred
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT srcaddr, dstaddr, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr, dstaddr
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr
LIMIT $limit
