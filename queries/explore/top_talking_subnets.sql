-- question: Which subnets move the most bytes?
-- origin: AWS Athena integration: VpcFlowLogsTopTalkingSubnets
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column subnet_id: subnet
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT subnet_id, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND subnet_id IS NOT NULL
GROUP BY subnet_id
ORDER BY bytes DESC NULLS LAST, subnet_id
LIMIT $limit
