-- question: What changed for a host at a given time?
-- cost: the rollup (`pair_hours`): all logs of the window once, or kept hours
-- parameter host address: the host
-- parameter at time: the time, a whole hour
-- parameter span_s duration = 6h: how long before and after
-- parameter limit integer = 100: rows at most
-- column remote: other side
-- column port: service port
-- column role: client or server: the host's part
-- column change: new / gone / stayed
-- column bytes_before: bytes out an hour before
-- column bytes_after: bytes out an hour after
-- column connections_before: connections before
-- column connections_after: connections after
WITH sides AS (
    SELECT remote, port, protocol, role, hour >= $at AS after, connections, bytes_out
    FROM pair_hours
    WHERE host = $host AND vantage = 'own' AND hour >= $at - CAST(concat($span_s, ' seconds') AS INTERVAL)
        AND hour < $at + CAST(concat($span_s, ' seconds') AS INTERVAL)
)
SELECT remote, port, role,
    CASE WHEN bool_and(after) THEN 'new' WHEN NOT bool_or(after) THEN 'gone' ELSE 'stayed' END AS change,
    round(coalesce(sum(bytes_out) FILTER (WHERE NOT after), 0) * 3600.0 / $span_s) AS bytes_before,
    round(coalesce(sum(bytes_out) FILTER (WHERE after), 0) * 3600.0 / $span_s) AS bytes_after,
    coalesce(sum(connections) FILTER (WHERE NOT after), 0) AS connections_before,
    coalesce(sum(connections) FILTER (WHERE after), 0) AS connections_after
FROM sides
GROUP BY remote, port, protocol, role
ORDER BY change, bytes_before + bytes_after DESC, remote, port, protocol, role
LIMIT $limit
