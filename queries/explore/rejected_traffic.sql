-- question: Which traffic was rejected, in any protocol?
-- origin: AWS Athena integration: VpcFlowLogsRejectedTraffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column protocol_name: IANA name
-- column dstport: receiver's port
-- column records: flow records
-- column packets: packets
SELECT srcaddr, dstaddr, protocol_name(protocol) AS protocol_name, dstport, count(*) AS records, sum(packets) AS packets
FROM flows
WHERE start >= $from AND start < $to AND action = 'REJECT'
GROUP BY srcaddr, dstaddr, protocol, dstport
ORDER BY packets DESC NULLS LAST, srcaddr, dstaddr, protocol, dstport
LIMIT $limit
