-- question: Which remotes do a host's internal peers talk to?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter host address: the host
-- parameter max_hosts integer = 5: two hops out, outside remotes that more hosts talk to are left out
-- parameter limit integer = 50: rows at most
-- column remote: other side
-- column hops: 1 or 2
-- column through: peers on the way
-- column connections: connections of the host and its peers
-- column bytes_out: bytes that the host and its peers sent to it
-- column internal: it is inside
WITH peers AS (
    SELECT DISTINCT remote AS peer FROM pairs WHERE host = $host AND NOT external AND NOT local_scope
),
steps AS (
    SELECT remote, 1 AS hops, CAST(NULL AS VARCHAR) AS peer, connections, bytes_out, external
    FROM pairs WHERE host = $host AND NOT local_scope
    UNION ALL
    SELECT p.remote, 2, p.host, p.connections, p.bytes_out, p.external
    FROM pairs p JOIN peers ON p.host = peers.peer
    WHERE p.remote <> $host AND NOT p.local_scope AND (NOT p.external OR p.prevalence_hosts <= $max_hosts)
)
SELECT remote, min(hops) AS hops, count(DISTINCT peer) AS through, sum(connections) AS connections,
    sum(bytes_out) AS bytes_out, NOT bool_or(external) AS internal
FROM steps
GROUP BY remote
ORDER BY hops, bytes_out DESC, remote
LIMIT $limit
