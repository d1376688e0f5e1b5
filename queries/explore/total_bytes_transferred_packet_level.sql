-- question: Between which two addresses did the most bytes pass, by the packets' own addresses?
-- origin: AWS Athena integration: VpcFlowLogsTotalBytesTransferredPacketLevel
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column pkt_srcaddr: sender of the packets
-- column pkt_dstaddr: receiver of the packets
-- column bytes: bytes
-- column packets: packets
-- column records: flow records
SELECT pkt_srcaddr, pkt_dstaddr, sum(bytes) AS bytes, sum(packets) AS packets, count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND pkt_srcaddr IS NOT NULL
GROUP BY pkt_srcaddr, pkt_dstaddr
ORDER BY bytes DESC NULLS LAST, pkt_srcaddr, pkt_dstaddr
LIMIT $limit
