-- question: Which addresses sent the most to administration ports?
-- origin: AWS Athena integration: VpcFlowLogsAdminPortTraffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 10: rows at most
-- column srcaddr: sender
-- column dstport: receiver's port
-- column service: usual name of the service
-- column hosts: receivers
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstport, service_name(dstport, protocol) AS service,
    distinct_hosts(dstaddr) AS hosts, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND protocol = 6
    AND dstport IN (22, 23, 3389, 5900, 5985, 5986, 2375, 2376, 6443, 8443, 10250)
GROUP BY srcaddr, dstport, protocol
ORDER BY bytes DESC NULLS LAST, srcaddr, dstport
LIMIT $limit
