-- question: Which of our services do external addresses use?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter limit integer = 50: rows at most
-- column host: monitored side
-- column port: service port
-- column service: usual name of the service
-- column remotes: external addresses
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column first_seen: first second
-- column last_seen: last second
SELECT host, port, service_name(port, protocol) AS service, distinct_hosts(remote) AS remotes,
    sum(connections) AS connections,
    sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in, min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM pairs
WHERE role = 'server' AND external AND connections > 0 AND port > 0
GROUP BY host, port, protocol
ORDER BY remotes DESC, host, port, protocol
LIMIT $limit
