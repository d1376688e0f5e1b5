-- question: Which contacts follow the wall clock, as scheduled jobs do?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter limit integer = 25: rows at most
-- column clock_s: period of the clock, in seconds; also where the log does not tell a schedule from sleeps
-- column hosts: hosts that follow it
-- column pairs: pairs that follow it
-- column port: service port
-- column remote: one of the remotes
WITH judged AS (
    SELECT host, remote, port, beacon_statistics(
        starts, sizes,
        CAST((SELECT min(first_seen) FROM pairs) AS BIGINT), CAST((SELECT max(last_seen) FROM pairs) AS BIGINT),
        window_s, 0.001
    ) AS b
    FROM pairs
    WHERE role = 'client' AND NOT local_scope AND cardinality(starts) > 0
)
SELECT clock_s, distinct_hosts(host) AS hosts, count(*) AS pairs, port, min(remote) AS remote
FROM (SELECT *, coalesce(b['clock_period_s'], b['possible_clock_s']) AS clock_s FROM judged)
WHERE clock_s IS NOT NULL
GROUP BY clock_s, port
ORDER BY clock_s, hosts DESC, port
LIMIT $limit
