-- question: What did an address receive?
-- origin: AWS Athena integration: VpcFlowLogsTrafficToDstAddr
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter address address: the receiver
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstport: receiver's port
-- column protocol_name: IANA name
-- column action: ACCEPT or REJECT
-- column records: flow records
-- column packets: packets
-- column bytes: bytes
-- column first_seen: first second
-- column last_seen: last second
SELECT srcaddr, dstport, protocol_name(protocol) AS protocol_name, action,
    count(*) AS records, sum(packets) AS packets, sum(bytes) AS bytes, min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND dstaddr = $address
GROUP BY srcaddr, dstport, protocol, action
ORDER BY bytes DESC NULLS LAST, srcaddr, dstport, protocol, action
LIMIT $limit
