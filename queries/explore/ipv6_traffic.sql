-- question: How much IPv6 traffic is there?
-- origin: AWS Athena integration: VpcFlowLogsIPv6Traffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND srcaddr LIKE '%:%'
