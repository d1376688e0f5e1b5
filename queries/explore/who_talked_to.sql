-- question: Who talked to this address?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours; it sums up external addresses with fewer than three rejected probes an hour without naming them; `traffic_from_address` names them
-- parameter address address: the address
-- parameter limit integer = 100: rows at most
-- column host: monitored side
-- column role: client or server: the host's part
-- column port: service port
-- column service: usual name of the service
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column rejected: rejected records
-- column first_seen: first second
-- column last_seen: last second
SELECT host, role, port, service_name(port, protocol) AS service, connections, bytes_out, bytes_in, rejected,
    first_seen, last_seen
FROM pairs
WHERE remote = $address
ORDER BY bytes_out + bytes_in DESC, host, role, port, protocol
LIMIT $limit
