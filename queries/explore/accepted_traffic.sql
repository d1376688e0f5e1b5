-- question: Which TCP connections were allowed?
-- origin: AWS Athena integration: VpcFlowLogsAcceptedTraffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column service: usual name of the service
-- column records: flow records
-- column packets: packets
-- column bytes: bytes
SELECT srcaddr, dstaddr, dstport, service_name(dstport, protocol) AS service,
    count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND action = 'ACCEPT' AND protocol = 6
GROUP BY srcaddr, dstaddr, dstport, protocol
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr, dstport
LIMIT $limit
