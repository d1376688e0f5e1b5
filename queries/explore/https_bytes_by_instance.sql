-- question: How many bytes does each instance send to and receive from a port?
-- origin: AWS Security Analytics Bootstrap: bytes from and to port 443 per instance
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter port integer = 443: the port
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column instance_id: instance
-- column bytes_to: bytes sent to the port
-- column bytes_from: bytes that came from the port
-- column records: flow records
SELECT instance_id,
    coalesce(sum(bytes) FILTER (WHERE dstport = $port), 0) AS bytes_to,
    coalesce(sum(bytes) FILTER (WHERE srcport = $port), 0) AS bytes_from,
    count(*) AS records
FROM flows
WHERE start >= $from AND start < $to AND instance_id IS NOT NULL AND (dstport = $port OR srcport = $port)
GROUP BY instance_id
ORDER BY bytes_to + bytes_from DESC, instance_id
LIMIT $limit
