-- question: Which hosts ask name servers that are not approved?
-- origin: Panther: AWS.VPC.UnapprovedOutboundDNS, DNS tunnelling
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter approved networks = 10.0.0.2,169.254.169.253: name servers that may be asked
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column records: flow records
-- column bytes: bytes
-- column bytes_per_record: mean bytes of a record: tunnels are large
SELECT srcaddr, dstaddr, count(*) AS records, sum(bytes) AS bytes, round(avg(bytes), 1) AS bytes_per_record
FROM flows
WHERE start >= $from AND start < $to AND dstport IN (53, 853) AND is_internal(srcaddr) AND NOT ip_in(dstaddr, $approved)
    AND outbound AND vantage <> 'transit'
GROUP BY srcaddr, dstaddr
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr
LIMIT $limit
