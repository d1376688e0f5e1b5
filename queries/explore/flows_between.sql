-- question: Which records passed between two addresses?
-- origin: AWS Security Analytics Bootstrap: flows between two IPs
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter one address: one address
-- parameter other address: the other address
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 100: rows at most
-- column start: first second
-- column end: last second
-- column flow_direction: ingress or egress of the ENI
-- column srcaddr: sender
-- column srcport: sender's port
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column protocol: IANA name
-- column flags: TCP flags
-- column packets: packets
-- column bytes: bytes
-- column action: ACCEPT or REJECT
SELECT start, "end", flow_direction, srcaddr, srcport, dstaddr, dstport, protocol_name(protocol) AS protocol,
    tcp_flags_text(tcp_flags) AS flags, packets, bytes, action
FROM flows
WHERE start >= $from AND start < $to
    AND ((srcaddr = $one AND dstaddr = $other) OR (srcaddr = $other AND dstaddr = $one))
ORDER BY start, "end", srcaddr, srcport, dstport, flow_direction, bytes
LIMIT $limit
