-- question: Which other hosts met the controllers of an incident?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours; and the incidents of a run (`--findings DIR/findings.jsonl`, or `--incidents`)
-- parameter id text: id of the incident, or its first characters
-- parameter limit integer = 50: rows at most
-- column incident_id: the incident
-- column remote: the controller
-- column host: a host that is not of the incident
-- column port: port of the service
-- column same_port: the incident's hosts use this port, too
-- column role: client or server: the host's part
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column first_seen: first second
-- column last_seen: last second
-- column prevalence_hosts: hosts that talk to this remote
SELECT n.incident_id, p.remote, p.host, p.port, p.port = n.port AS same_port, p.role, p.connections, p.bytes_out,
    p.bytes_in, p.first_seen, p.last_seen, p.prevalence_hosts
FROM incident_nodes n
JOIN pairs p ON p.remote = n.address
LEFT JOIN incident_nodes own ON own.incident_id = n.incident_id AND own.address = p.host AND own.class = 'involved'
WHERE starts_with(n.incident_id, lower($id)) AND n.part = 'controller' AND own.address IS NULL
ORDER BY n.incident_id, same_port DESC, p.connections DESC, p.remote, p.host, p.port, p.role
LIMIT $limit
