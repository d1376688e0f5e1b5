-- question: Which remotes does a host talk to, and how?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter host address: the host
-- parameter limit integer = 50: rows at most
-- column remote: other side
-- column port: service port
-- column service: usual name of the service
-- column role: client or server: the host's part
-- column external: the remote is external
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column active_hours: hours with traffic
-- column prevalence_hosts: hosts that talk to this remote
-- column first_seen: first second
SELECT remote, port, service_name(port, protocol) AS service, role, external, connections, bytes_out, bytes_in,
    active_hours,
    prevalence_hosts, first_seen
FROM pairs
WHERE host = $host
ORDER BY bytes_out + bytes_in DESC, remote, port, protocol, role
LIMIT $limit
