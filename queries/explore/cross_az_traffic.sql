-- question: How much traffic crosses from zone to zone?
-- origin: CloudWatch Logs Insights for version 11: cross-AZ bytes by pair of zones
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column az_id: zone of the ENI
-- column next_hop_az_id: zone of the next hop
-- column bytes: bytes
-- column records: flow records
SELECT az_id, next_hop_az_id, sum(bytes) AS bytes, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND flow_direction = 'egress' AND next_hop_az_id IS NOT NULL
    AND next_hop_az_id <> az_id
GROUP BY az_id, next_hop_az_id
ORDER BY bytes DESC NULLS LAST, az_id, next_hop_az_id
LIMIT $limit
