-- question: Through which kinds of interfaces does traffic go?
-- origin: CloudWatch Logs Insights for version 11: path from interface type to next hop
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column interface_type: kind of the ENI
-- column next_hop_interface_type: kind of the next hop
-- column bytes: bytes
-- column records: flow records
SELECT interface_type, next_hop_interface_type, sum(bytes) AS bytes, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND flow_direction = 'egress' AND next_hop_interface_type IS NOT NULL
GROUP BY interface_type, next_hop_interface_type
ORDER BY bytes DESC NULLS LAST, interface_type, next_hop_interface_type
LIMIT $limit
