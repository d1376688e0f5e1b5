-- question: Who uses SSH and RDP?
-- origin: AWS Athena integration: VpcFlowLogsSshRdpTraffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column service: usual name of the service
-- column action: ACCEPT or REJECT
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstaddr, dstport, service_name(dstport, protocol) AS service, action,
    count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND protocol = 6 AND dstport IN (22, 3389)
GROUP BY srcaddr, dstaddr, dstport, protocol, action
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr, dstport, action
LIMIT $limit
