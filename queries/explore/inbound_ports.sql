-- question: On which ports did external addresses get in, apart from two that may be open?
-- origin: Panther: AWS.VPC.InboundPortWhitelist
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter open_port integer = 443: a port that may be open
-- parameter other_open_port integer = 80: another port that may be open
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column service: usual name of the service
-- column remotes: external addresses
-- column records: flow records
-- column bytes: bytes
SELECT dstaddr, dstport, service_name(dstport, protocol) AS service, distinct_hosts(srcaddr) AS remotes,
    count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND action = 'ACCEPT' AND protocol IN (6, 17) AND NOT is_internal(srcaddr)
    AND is_internal(dstaddr)
    AND role = 'server' AND dstport NOT IN ($open_port, $other_open_port)
GROUP BY dstaddr, dstport, protocol
ORDER BY bytes DESC NULLS LAST, dstaddr, dstport, protocol
LIMIT $limit
