-- question: Who talks to databases?
-- origin: tailpipe: database_traffic (T1210)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column service: usual name of the service
-- column records: flow records
-- column bytes: bytes
SELECT srcaddr, dstaddr, dstport, service_name(dstport, protocol) AS service, count(*) AS records, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND action = 'ACCEPT' AND protocol = 6
    AND dstport IN (1433, 1521, 3306, 5432, 5439, 6379, 9042, 9200, 11211, 27017)
GROUP BY srcaddr, dstaddr, dstport, protocol
ORDER BY bytes DESC NULLS LAST, srcaddr, dstaddr, dstport
LIMIT $limit
