-- question: Which addresses sent the most?
-- origin: AWS Athena integration: VpcFlowLogsTopTalkers
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT srcaddr, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND srcaddr IS NOT NULL
GROUP BY srcaddr
ORDER BY bytes DESC NULLS LAST, srcaddr
LIMIT $limit
