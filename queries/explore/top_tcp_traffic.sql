-- question: Which addresses send the most TCP traffic?
-- origin: AWS Athena integration: VpcFlowLogsTopTCPTraffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column bytes: bytes
-- column packets: packets
-- column remotes: receivers
SELECT srcaddr, sum(bytes) AS bytes, sum(packets) AS packets, distinct_hosts(dstaddr) AS remotes
FROM flows
WHERE start >= $from AND start < $to AND protocol = 6
GROUP BY srcaddr
ORDER BY bytes DESC NULLS LAST, srcaddr
LIMIT $limit
