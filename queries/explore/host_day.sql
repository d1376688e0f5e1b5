-- question: What did a host do, hour by hour?
-- cost: the rollup (`pair_hours`): all logs of the window once, or kept hours
-- parameter host address: the host
-- parameter from time = 1970-01-01: hours from
-- parameter to time = 9999-12-31: hours before
-- column hour: hour, UTC
-- column connections: connections
-- column remotes: remotes
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column rejected: rejected records
-- column most_to: the remote that received the most
-- column most_bytes: bytes that it received
WITH hours AS (
    SELECT hour, remote, sum(connections) AS connections, sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in,
        sum(rejected) AS rejected
    FROM pair_hours
    WHERE host = $host AND vantage = 'own' AND hour >= $from AND hour < $to
    GROUP BY hour, remote
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY hour ORDER BY bytes_out DESC, remote) AS nth FROM hours
)
SELECT hour, sum(connections) AS connections, count(*) AS remotes, sum(bytes_out) AS bytes_out,
    sum(bytes_in) AS bytes_in,
    sum(rejected) AS rejected, max(remote) FILTER (WHERE nth = 1) AS most_to, max(bytes_out) AS most_bytes
FROM ranked
GROUP BY hour
ORDER BY hour
