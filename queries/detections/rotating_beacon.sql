-- title: Regular contact with a group of remotes
-- what: rare remotes of one host, with the same port and about the same bytes, that keep time together but not apart: an implant that rotates over its controllers or moves on every few hours
-- severity follows: whether the remotes are new, whether any answered, what else speaks for an implant, wall clock
-- techniques: T1071 T1008
-- about: Connections of one host to several rare remotes, same port and about the same bytes, that keep time together
-- about: and not apart: an implant that chooses among its controllers, takes them in turn or moves on every few hours. So
-- about: do the addresses of one vendor; severity is high only if the remotes are new to the host, the port is unusual or
-- about: the bytes are odd, as in `beacon`.
-- about: Remotes that never answered take part, since controllers die; what was sent to them has no size. Where most
-- about: never answered, severity is medium at most. None is told once more as `unanswered_calls`.
-- once: sweeps
-- discovery: p_value
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
-- parameter settled_hours = 48: hours with egress before the window from which a remote never seen is new to the host
-- parameter member_alone = 0.0001: p-value of the best remote alone from which the group adds nothing to severity
-- parameter min_connections = 12: connections in the window to all such remotes together
-- parameter sweep_remotes = 25: remotes of a host on one port that do not answer from which it is a sweep and they take no part
WITH
-- include: sweeps
rare AS (
    SELECT
        *,
-- include: never_answered
        AS silent,
-- include: unheard
        AS unheard
    FROM pairs
    WHERE role = 'client' AND external AND NOT local_scope AND NOT mirrored AND cardinality(starts) > 0
        AND protocol IN (6, 17) AND NOT (port = 123 AND protocol = 17)
        AND prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts))
        AND (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON', 'CLOUDFRONT', 'API_GATEWAY', 'GLOBALACCELERATOR'))
),
tried AS (
    SELECT
        r.account_id, r.region, r.host, r.port, r.protocol, r.interface_id, r.on_grid, r.prevalence_hosts,
        r.window_s, r.connections, r.unheard,
        named_struct('remote', r.remote, 'starts', r.starts, 'size', typical_size(r.sizes), 'silent', r.silent,
            'first_contact', r.first_contact, 'bytes_out', r.bytes_out, 'bytes_in', r.bytes_in,
            'packets_out', r.packets_out, 'connections', r.connections) AS member
    FROM rare r
    LEFT JOIN sweeps s ON s.account_id = r.account_id AND s.region = r.region AND s.host = r.host AND s.port = r.port
    WHERE NOT r.silent OR s.port IS NULL
),
together AS (
    SELECT
        account_id, region, host, port, protocol,
        min(interface_id) AS interface_id,
        first_value(on_grid ORDER BY interface_id) AS on_grid,
        max(prevalence_hosts) AS prevalence_hosts,
        bool_or(unheard) AS unheard,
        max(window_s) AS window_s,
        array_agg(member) AS members
    FROM tried
    GROUP BY account_id, region, host, port, protocol
    HAVING count(*) >= 2 AND sum(connections) >= $min_connections
),
judged AS (
    SELECT *, rotating_statistics(members, $window_from_s, $window_to_s, window_s, $fdr, interface_id) AS b
    FROM together
),
-- include: clocks
-- include: settled
-- The sums are those of the remotes that keep time together, not of all that the host calls.
-- include: train_sums
timed AS (
    SELECT
        h.*,
        first_contact IS NOT FALSE AND coalesce(s.settled, FALSE) AS new_to_host,
-- include: second_kind
            AS beside_beat
    FROM summed h
    LEFT JOIN settled s ON s.account_id = h.account_id AND s.region = h.region AND s.host = h.host
)
SELECT
    CASE
        WHEN $hosts < $few_hosts THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        -- Most of whoever was called never answered: software whose servers have moved does the same.
        WHEN 2 * b['silent'] > b['members'] THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        WHEN keeps_clock THEN CASE WHEN first_contact THEN 'medium' ELSE 'low' END
        WHEN may_keep_clock THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        WHEN first_contact IS FALSE THEN CASE WHEN beside_beat IS NULL THEN 'low' ELSE 'medium' END
        -- Remotes that are regular by themselves are found one by one; grouping them adds nothing.
        WHEN b['member_p_value'] <= $member_alone THEN 'medium'
        WHEN new_to_host OR beside_beat IS NOT NULL THEN 'high'
        ELSE 'medium'
    END AS severity,
    b['score'] AS score,
    b['p_value'] AS p_value,
    account_id, region, host, port, protocol, 'client' AS role, interface_id,
    b['first_s'] AS first_seen,
    b['last_s'] AS last_seen,
    b['period_s'] AS period_s,
    b['jitter_ratio'] AS jitter_ratio,
    b['missed_ratio'] AS missed_ratio,
    b['connections'] AS connections,
    b['members'] AS destinations,
    b['addresses'] AS remotes,
    b['all_addresses'] AS members,
    CASE WHEN b['silent'] > 0 THEN b['silent'] END AS silent_remotes,
    CASE WHEN unheard THEN FALSE END AS answers_logged,
    b['method'] AS method,
    b['member_p_value'] AS member_p_value,
    CASE WHEN keeps_clock THEN coalesce(b['clock_period_s'], b['possible_clock_s'], b['resolution_s']) END
        AS clock_period_s,
    b['span_ratio'] AS span_ratio,
    b['rita_score'] AS rita_score_of_union,
    bytes_out, bytes_in, window_s, prevalence_hosts, first_contact, beside_beat,
    concat(
        ip(host), ' called ', CAST(b['members'] AS VARCHAR), ' rare remotes on ', protocol_name(protocol), ' port ',
        CAST(port AS VARCHAR), ', one of them every ', human_duration(b['period_s']), ' ± ',
        CAST(CAST(round(100 * b['jitter_ratio']) AS BIGINT) AS VARCHAR), ' %, ', CAST(b['connections'] AS VARCHAR),
        ' connections in all: together they keep time, alone they do not as well',
        CASE
            WHEN b['silent'] = b['members'] THEN '; none ever answered'
            WHEN b['silent'] > 0 THEN concat('; ', CAST(b['silent'] AS VARCHAR), ' never answered')
            ELSE '' END,
        CASE WHEN first_contact THEN '; none was seen before the window' ELSE '' END, '.',
        CASE WHEN keeps_clock THEN ' They keep the wall clock, as scheduled jobs do.'
            WHEN may_keep_clock THEN ' They may keep the wall clock: the log does not tell a scheduled job from sleeps here.'
            ELSE '' END,
        CASE WHEN unheard THEN ' The log has one direction only, so answers do not show.' ELSE '' END
    ) AS explanation
FROM timed
-- A silent remote that keeps time alone is told by `unanswered_calls`, and no rotation.
WHERE NOT (b['silent'] > 0 AND b['member_p_value'] <= $member_alone)
