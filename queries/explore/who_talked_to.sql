-- question: Who talked to this address?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours; rejected knocks of fewer than three an hour from outside are summed up there without addresses: `traffic_from_address` has them
-- parameter address address: the address
-- parameter limit integer = 100: most rows
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
SELECT host, role, port, service_name(port, protocol) AS service, connections, bytes_out, bytes_in, rejected, first_seen, last_seen
FROM pairs
WHERE remote = $address
ORDER BY bytes_out + bytes_in DESC, host, role, port, protocol
LIMIT $limit
