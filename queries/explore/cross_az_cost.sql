-- question: Which pairs of hosts pay for traffic between zones?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter price_per_gb number = 0.02: price of a gigabyte that crosses, both sides together
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column az_id: zone of the host
-- column remote: other side
-- column remote_az_id: zone of the remote
-- column bytes: bytes in both directions
-- column cost: bytes at the price
WITH zones AS (
    SELECT host AS address, min(az_id) AS az_id FROM flows
    WHERE start >= $from AND start < $to AND host IS NOT NULL AND az_id IS NOT NULL
      -- A forwarder's zone is not that of the host behind it.
      AND vantage <> 'transit'
    GROUP BY host
),
moved AS (
    SELECT host, remote, sum(bytes) AS bytes
    FROM flows
    WHERE start >= $from AND start < $to AND action = 'ACCEPT' AND is_internal(host) AND is_internal(remote)
    GROUP BY host, remote
)
SELECT m.host, h.az_id, m.remote, r.az_id AS remote_az_id, m.bytes, round(m.bytes / 1e9 * $price_per_gb, 4) AS cost
FROM moved m
JOIN zones h ON h.address = m.host
JOIN zones r ON r.address = m.remote
WHERE h.az_id <> r.az_id AND m.host < m.remote
ORDER BY bytes DESC NULLS LAST, m.host, m.remote
LIMIT $limit
