-- question: Which networks used by few hosts received the most bytes?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter max_hosts integer = 2: networks that more hosts use are left out
-- parameter limit integer = 25: rows at most
-- column network: owner or else the network
-- column hosts: hosts that use it
-- column remotes: remotes
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column first_seen: first second
WITH networks_met AS (
    SELECT coalesce(network_owner(remote), prefix(remote, 24, 48)) AS network, host, remote, bytes_out, bytes_in,
        first_seen
    FROM pairs
    WHERE external AND role = 'client'
)
SELECT network, distinct_hosts(host) AS hosts, distinct_hosts(remote) AS remotes, sum(bytes_out) AS bytes_out,
    sum(bytes_in) AS bytes_in, min(first_seen) AS first_seen
FROM networks_met
GROUP BY network
HAVING distinct_hosts(host) <= $max_hosts
ORDER BY bytes_out DESC, network
LIMIT $limit
