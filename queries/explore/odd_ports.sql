-- question: Which external ports without a known service do hosts call?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column protocol_name: IANA name
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column prevalence_hosts: hosts that talk to this remote
-- column first_seen: first second
SELECT host, remote, port, protocol_name(protocol) AS protocol_name, connections, bytes_out, prevalence_hosts,
    first_seen
FROM pairs
WHERE external AND role = 'client' AND protocol IN (6, 17) AND service_name(port, protocol) IS NULL AND connections > 0
ORDER BY bytes_out DESC, host, remote, port, protocol
LIMIT $limit
