-- question: Which hosts of a network received the most bytes?
-- origin: CloudWatch Logs Insights: top 15 byte transfers for hosts on a subnet
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter network networks: the subnet, such as 10.0.0.0/24
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 15: rows at most
-- column dstaddr: receiver
-- column bytes: bytes
-- column records: flow records
SELECT dstaddr, sum(bytes) AS bytes, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND ip_in(dstaddr, $network)
GROUP BY dstaddr
ORDER BY bytes DESC NULLS LAST, dstaddr
LIMIT $limit
