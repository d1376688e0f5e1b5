-- question: Which external remotes were first contacted after a given time?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter since time = 24h: first contact at or after
-- parameter max_hosts integer = 1000000: remotes that more hosts talk to are left out
-- parameter limit integer = 50: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column first_seen: first second
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column prevalence_hosts: hosts that talk to this remote
-- column owner: owner of the network, if --networks knows it
SELECT host, remote, port, first_seen, connections, bytes_out, bytes_in, prevalence_hosts,
    network_owner(remote) AS owner
FROM pairs
WHERE external AND role = 'client' AND first_seen >= $since AND coalesce(baseline_hours, 0) = 0
    AND prevalence_hosts <= $max_hosts
ORDER BY bytes_out DESC, host, remote, port, protocol
LIMIT $limit
