-- question: Whom did the hosts of an incident reach, and who entered them?
-- cost: no logs: the incidents of a run (`--findings DIR/findings.jsonl`, or `--incidents`)
-- parameter id text: id of the incident, or its first characters
-- parameter limit integer = 200: rows at most
-- column incident_id: the incident
-- column address: the host or remote
-- column class: involved, remote, upstream, reached, attempted or shared
-- column part: its part in the story, of involved hosts and of remotes
-- column rank: higher is worth a look sooner; 0 for involved hosts
-- column hops: steps from a compromised host
-- column from_address: who opened connections to it
-- column port: port of the service; 0 for several
-- column service: usual name of the service
-- column first_seen: the first connection after the compromise of who opened it
-- column connections: connections in the window
-- column bytes_out: bytes to it
-- column bytes_in: bytes from it
-- column is_new: the two had not met before; NULL where too little history tells
-- column answered: it answered
-- column clients: hosts that use it, where it is shared
SELECT n.incident_id, n.address, n.class, n.part, n.rank, n.hops, e.from_address, e.port,
    service_name(e.port, e.protocol) AS service, e.first_seen, e.connections, e.bytes_out, e.bytes_in, e.is_new,
    e.answered, n.clients
FROM incident_nodes n
LEFT JOIN incident_edges e ON e.incident_id = n.incident_id AND e.to_address = n.address
WHERE starts_with(n.incident_id, lower($id))
ORDER BY n.incident_id, n.position, e.position
LIMIT $limit
