-- title: Calls that nobody answers, again and again
-- what: connections to an external remote that are reset, ignored or blocked, again and again: the retries of an implant whose controller is dead
-- severity follows: prevalence of the remote, habit in the baseline
-- techniques: T1071 T1008
-- about: A host opens connections to an external remote for minutes or hours, and gets resets, silence or rejections
-- about: back: an implant whose controller is dead or blocked retries like this, every second or every ten minutes. So
-- about: does software whose server has moved, which is why severity ends at medium; the cadence tells more. Such calls
-- about: are no `beacon`: whoever was called never answered. Internal remotes are reported only if the calls keep time.
-- parameter min_connections = 30: connections that nobody answered; fewer are reported only if they keep time
-- parameter min_beats = 6: connections that keep time, at least
-- parameter beat_p_value = 0.001: largest p-value of the period at which fewer than min_connections keep time
-- parameter min_span_s = 300: seconds from the first to the last of them, at least
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
-- parameter sweep_remotes = 25: remotes of a host on one port that do not answer from which it is a sweep and not reported here
WITH silent AS (
    SELECT *, CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT) AS span_s
    FROM pairs
    WHERE NOT local_scope AND NOT mirrored AND
-- include: never_answered
),
-- A host that scans has millions of them on a port: they are counted, not held.
silent_ports AS (
    SELECT account_id, region, host, port, count(*) AS silent_remotes
    FROM silent
    GROUP BY account_id, region, host, port
),
retried AS (
    SELECT
        s.*,
        n.silent_remotes,
        prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) AS rare,
        beacon_statistics(starts, sizes, $window_from_s, $window_to_s, window_s, 1.0, interface_id) AS b
    FROM silent s
    JOIN silent_ports n ON n.account_id = s.account_id AND n.region = s.region AND n.host = s.host AND n.port = s.port
    WHERE greatest(connections, rejected) >= $min_beats AND span_s >= $min_span_s
        AND silent_remotes < $sweep_remotes
)
SELECT
    CASE
        WHEN NOT external THEN 'low'
        WHEN $hosts >= $few_hosts AND NOT rare THEN 'informational'
        WHEN first_contact IS FALSE THEN 'low'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.3 + ln(greatest(1.0, CAST(greatest(connections, rejected) AS DOUBLE) / $min_connections)) / 15
        + 0.2 * coalesce(b['score'], 0.0)) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    connections,
    rejected,
    span_s,
    active_hours,
    b['period_s'] AS period_s,
    b['jitter_ratio'] AS jitter_ratio,
    b['p_value'] AS beacon_p_value,
    CAST(greatest(connections, rejected) AS DOUBLE) / greatest(span_s, 1) AS connections_per_s,
    bytes_out, bytes_in, packets_out, packets_in,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        ip(host), ' opened ', CAST(greatest(connections, rejected) AS VARCHAR), ' connections to ', ip(remote),
        ' port ', CAST(port AS VARCHAR),
        ' within ', human_duration(span_s),
        CASE WHEN rejected >= records THEN ', all of which were rejected'
            ELSE ' and got no answer but resets or silence' END,
        CASE WHEN b['period_s'] IS NOT NULL AND b['p_value'] <= 0.01
            THEN concat('; it retries every ', human_duration(b['period_s'])) ELSE '' END,
        CASE WHEN first_contact THEN '; never tried before the window' ELSE '' END, '.',
        CASE WHEN NOT external THEN ' Lowered: the remote is internal.'
            WHEN $hosts >= $few_hosts AND NOT rare THEN ' Lowered: many hosts call that remote.'
            WHEN first_contact IS FALSE THEN ' Lowered: the baseline has it.' ELSE '' END
    ) AS explanation
FROM retried
WHERE external AND protocol = 6 AND greatest(connections, rejected) >= $min_connections
    OR b['period_s'] IS NOT NULL AND b['p_value'] <= $beat_p_value
