-- question: Who talked to addresses on the feeds?
-- origin: AWS incident response playbooks: search for known indicators
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter min_confidence integer = 0: 0 to 100; entries below are left out
-- parameter limit integer = 100: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column source: the feed
-- column malware: what the feed says
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column first_seen: first second
-- column last_seen: last second
WITH hits AS (
    SELECT *, indicator(remote, port, protocol, first_seen, last_seen) AS hit FROM pairs WHERE NOT local_scope
)
SELECT host, remote, port, hit['source'] AS source, hit['malware'] AS malware, connections, bytes_out, first_seen,
    last_seen
FROM hits
WHERE hit IS NOT NULL AND coalesce(hit['confidence'], 50) >= $min_confidence
ORDER BY bytes_out DESC, host, remote, port
LIMIT $limit
