-- question: How much does each tagged group of instances send?
-- origin: CloudWatch Logs Insights for version 11: traffic by tag
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column instance_tag: value of the tag
-- column bytes: bytes
-- column hosts: senders
-- column records: flow records
SELECT instance_tag, sum(bytes) AS bytes, distinct_hosts(srcaddr) AS hosts, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND flow_direction = 'egress' AND instance_tag IS NOT NULL
GROUP BY instance_tag
ORDER BY bytes DESC NULLS LAST, instance_tag
LIMIT $limit
