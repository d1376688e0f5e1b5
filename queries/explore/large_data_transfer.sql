-- question: Which single records carry many bytes?
-- origin: tailpipe: large_data_transfer (T1048)
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter min_bytes integer = 500000000: bytes in one record; less is left out
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column start: first second
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column size: bytes in words
-- column bytes: bytes
-- column action: ACCEPT or REJECT
SELECT start, srcaddr, dstaddr, dstport, human_bytes(bytes) AS size, bytes, action
FROM flows
WHERE start >= $from AND start < $to AND bytes >= $min_bytes
ORDER BY bytes DESC NULLS LAST, start, srcaddr, dstaddr, dstport
LIMIT $limit
