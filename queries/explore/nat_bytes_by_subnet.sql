-- question: Which subnets send the most through NAT gateways?
-- origin: CloudWatch Logs Insights for version 11: NAT gateway bytes by source and subnet
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column subnet_id: subnet
-- column srcaddr: sender
-- column bytes: bytes
-- column records: flow records
SELECT subnet_id, srcaddr, sum(bytes) AS bytes, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND flow_direction = 'egress'
    AND next_hop_interface_type IN ('nat_gateway', 'regional_nat_gateway')
GROUP BY subnet_id, srcaddr
ORDER BY bytes DESC NULLS LAST, subnet_id, srcaddr
LIMIT $limit
