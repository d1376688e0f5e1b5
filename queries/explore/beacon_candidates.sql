-- question: Which contacts of a host keep time?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter hosts networks = 0.0.0.0/0,::/0: only these hosts
-- parameter only_external boolean = true: leave out internal remotes
-- parameter max_p number = 0.000001: p-value; larger ones are left out
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column period: time between check-ins
-- column jitter_percent: ± percent of the period
-- column missed_percent: lost beats
-- column connections: connections
-- column p_value: probability that random traffic looks so
-- column score: 0 to 1
-- column keeps_clock: period of the wall clock that it follows, or may follow where the log does not tell, in seconds
-- column prevalence_hosts: hosts that talk to this remote
WITH judged AS (
    SELECT host, remote, port, protocol, connections, prevalence_hosts,
        beacon_statistics(
            starts, sizes,
            CAST((SELECT min(first_seen) FROM pairs) AS BIGINT), CAST((SELECT max(last_seen) FROM pairs) AS BIGINT),
            window_s, $max_p
        ) AS b
    FROM pairs
    WHERE ip_in(host, $hosts) AND role = 'client' AND NOT local_scope AND (external OR NOT $only_external)
        AND cardinality(starts) > 0
)
SELECT host, remote, port, human_duration(b['period_s']) AS period,
    round(100 * b['jitter_ratio'], 1) AS jitter_percent, round(100 * b['missed_ratio'], 1) AS missed_percent,
    connections,
    signif(b['p_value'], 3) AS p_value, round(b['score'], 2) AS score,
    coalesce(b['clock_period_s'], b['possible_clock_s']) AS keeps_clock, prevalence_hosts
FROM judged
WHERE b['p_value'] <= $max_p
-- Implants sleep after their work and so drift; contacts that follow the wall clock were scheduled. Few hosts share an
-- implant.
ORDER BY keeps_clock IS NOT NULL, prevalence_hosts, round(b['score'], 2) DESC, host, remote, port, protocol
LIMIT $limit
