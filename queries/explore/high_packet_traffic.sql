-- question: Which single records have very many packets?
-- origin: tailpipe: high_packet_traffic (T1498)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter min_packets integer = 10000: packets in one record; fewer are left out
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column start: first second
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column packets: packets
-- column bytes: bytes
-- column action: ACCEPT or REJECT
SELECT start, srcaddr, dstaddr, dstport, packets, bytes, action
FROM flows
WHERE start >= $from AND start < $to AND packets >= $min_packets
ORDER BY packets DESC NULLS LAST, start, srcaddr, dstaddr, dstport
LIMIT $limit
