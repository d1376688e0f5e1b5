-- question: Which transfers have the most packets?
-- origin: CloudWatch Logs Insights: top 15 packet transfers across hosts
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 15: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column packets: packets
-- column bytes: bytes
SELECT srcaddr, dstaddr, sum(packets) AS packets, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr, dstaddr
ORDER BY packets DESC NULLS LAST, srcaddr, dstaddr
LIMIT $limit
