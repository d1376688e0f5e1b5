-- question: Which instances move the most bytes?
-- origin: AWS Athena integration: VpcFlowLogsTopTalkingInstances
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column instance_id: instance
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT instance_id, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND instance_id IS NOT NULL
GROUP BY instance_id
ORDER BY bytes DESC NULLS LAST, instance_id
LIMIT $limit
