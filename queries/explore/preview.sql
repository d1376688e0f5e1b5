-- question: What do the records look like?
-- origin: AWS Security Analytics Bootstrap: preview by account, region and date
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter account text = %: pattern of account ids, as LIKE has them
-- parameter region text = %: pattern of regions, as LIKE has them
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 10: rows at most
-- column start: first second of the window
-- column interface_id: ENI
-- column srcaddr: sender
-- column srcport: sender's port
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column protocol: IANA number
-- column packets: packets
-- column bytes: bytes
-- column action: ACCEPT or REJECT
-- column log_status: OK / NODATA / SKIPDATA
SELECT start, interface_id, srcaddr, srcport, dstaddr, dstport, protocol, packets, bytes, action, log_status
FROM flows
WHERE start >= $from AND start < $to AND coalesce(region, '') LIKE $region AND coalesce(account_id, '') LIKE $account
ORDER BY start, interface_id, srcaddr, dstaddr, srcport, dstport, bytes
LIMIT $limit
