-- question: Which traffic is neither TCP nor UDP nor ICMP?
-- origin: tailpipe: traffic_with_unusual_protocols (T1071.001)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column protocol_name: IANA name
-- column srcaddr: sender
-- column dstaddr: receiver
-- column action: ACCEPT or REJECT
-- column records: flow records
-- column bytes: bytes
SELECT protocol_name(protocol) AS protocol_name, srcaddr, dstaddr, action, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND protocol NOT IN (1, 6, 17, 58)
GROUP BY protocol, srcaddr, dstaddr, action
ORDER BY bytes DESC NULLS LAST, protocol, srcaddr, dstaddr, action
LIMIT $limit
