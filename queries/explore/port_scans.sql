-- question: Which addresses try many ports on a host?
-- origin: Panther: AWS.VPC.PortScanning (T1046)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter min_ports integer = 10: different ports; fewer are left out
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column ports: ports tried
-- column rejected: rejected records
-- column first_seen: first second
-- column last_seen: last second
SELECT srcaddr, dstaddr, count(DISTINCT dstport) AS ports, count(*) FILTER (WHERE action = 'REJECT') AS rejected,
    min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND protocol IN (6, 17) AND (action = 'REJECT' OR tcp_flags & 18 = 2)
GROUP BY srcaddr, dstaddr
HAVING count(DISTINCT dstport) >= $min_ports
ORDER BY ports DESC, srcaddr, dstaddr
LIMIT $limit
