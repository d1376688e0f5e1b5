-- question: In which hours did the most bytes leave, and who sent them?
-- cost: the rollup (`host_hours`): all logs of the window once, or kept hours
-- parameter limit integer = 24: rows at most
-- column hour: hour, UTC
-- column bytes_out: bytes that left the host
-- column hosts: senders
-- column top_host: the host that sent the most
-- column top_share: its share 0 to 1
WITH ranked AS (
    SELECT hour, host, bytes_out, row_number() OVER (PARTITION BY hour ORDER BY bytes_out DESC, host) AS nth
    FROM host_hours
    WHERE in_window AND bytes_out > 0
)
SELECT hour, sum(bytes_out) AS bytes_out, count(*) AS hosts, max(host) FILTER (WHERE nth = 1) AS top_host,
    round(max(bytes_out) / greatest(1.0, sum(bytes_out)), 3) AS top_share
FROM ranked
GROUP BY hour
ORDER BY bytes_out DESC, hour
LIMIT $limit
