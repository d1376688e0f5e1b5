-- question: Which RDP connections were allowed?
-- origin: tailpipe: rdp_traffic (T1021.001)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column records: flow records
-- column bytes: bytes
-- column first_seen: first second
-- column last_seen: last second
SELECT srcaddr, dstaddr, count(*) AS records, sum(bytes) AS bytes, min(start) AS first_seen, max("end") AS last_seen
FROM flows
WHERE start >= $from AND start < $to AND protocol = 6 AND dstport = 3389 AND action = 'ACCEPT'
GROUP BY srcaddr, dstaddr
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr
LIMIT $limit
