-- title: Regular contact of several hosts with one remote
-- what: hosts that each call one remote rarely, but keep time far more surely together than any of them alone: intervals pooled over hosts
-- severity follows: how many hosts share the remote, whether it is new, whether it answered, what else speaks for an implant, wall clock
-- techniques: T1071 T1573
-- about: Hosts that each call one remote rarely, but keep time far more surely taken together than the best of them alone:
-- about: one implant on several hosts. The distances of all are pooled and judged as one train; hosts with many connections
-- about: are left to `beacon`, which may find some of the others by themselves, too. Agents of a supplier that few hosts
-- about: have do the same. A remote that never answered any of them is medium at most, and not told once more as
-- about: `unanswered_calls` of each host.
-- once: sweeps
-- discovery: p_value
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
-- parameter settled_hours = 48: hours with egress before the window from which a remote never seen is new to the host
-- parameter common_share = 0.2: share of hosts; a remote met by at least so many is shared infrastructure
-- parameter min_connections = 12: connections of all hosts together
-- parameter most_connections = 24: connections of a host from which it is judged alone and takes no part
-- parameter sweep_remotes = 25: remotes of a host on one port that do not answer from which it is a sweep and they take no part
WITH
-- include: sweeps
tried AS (
    SELECT
        *,
        cardinality(slow_starts) > 0 AS slow,
        CASE WHEN cardinality(slow_starts) > 0 THEN slow_starts ELSE starts END AS train,
-- include: never_answered
        AS silent,
-- include: unheard
        AS unheard
    FROM pairs
    WHERE role = 'client' AND external AND NOT local_scope AND NOT mirrored
        AND protocol IN (6, 17) AND NOT (port = 123 AND protocol = 17)
        AND prevalence_addresses >= 2 AND prevalence_hosts <= 64
        AND NOT (prevalence_share >= $common_share AND prevalence_hosts > 2)
        AND (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON', 'CLOUDFRONT', 'API_GATEWAY', 'GLOBALACCELERATOR'))
        -- Uses only the lists' lengths: no list is copied for the others.
        AND CASE WHEN cardinality(slow_starts) > 0 THEN cardinality(slow_starts) ELSE cardinality(starts) END
            BETWEEN 2 AND $most_connections - 1
),
called AS (
    SELECT t.*
    FROM tried t
    LEFT JOIN sweeps s ON s.account_id = t.account_id AND s.region = t.region AND s.host = t.host AND s.port = t.port
    WHERE NOT t.silent OR s.port IS NULL
),
together AS (
    SELECT
        account_id, region, remote, port, protocol,
        min(host) AS host,
        -- The ENI of that host, and of no other.
        first_value(interface_id ORDER BY host) AS interface_id,
        first_value(on_grid ORDER BY host) AS on_grid,
        max(prevalence_hosts) AS prevalence_hosts,
        bool_or(unheard) AS unheard,
        bool_or(slow) AS slow,
        max(window_s) AS window_s,
        array_agg(named_struct('host', host, 'starts', train, 'size', typical_size(sizes), 'interface_id',
            interface_id, 'silent', silent, 'first_contact', first_contact, 'bytes_out', bytes_out, 'bytes_in', bytes_in,
            'packets_out', packets_out, 'connections', connections)) AS members
    FROM called
    GROUP BY account_id, region, remote, port, protocol
    HAVING count(*) >= 2 AND sum(cardinality(train)) >= $min_connections
),
judged AS (
    SELECT
        *,
        pooled_statistics(
            members, CASE WHEN slow THEN $baseline_from_s ELSE $window_from_s END, $window_to_s, window_s, $fdr
        ) AS b
    FROM together
),
-- include: clocks
-- include: settled
-- The sums are those of the hosts that keep time together.
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
        -- Most of them never got an answer.
        WHEN 2 * b['silent'] > b['members'] THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        WHEN keeps_clock THEN CASE WHEN first_contact THEN 'medium' ELSE 'low' END
        WHEN prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts))
            THEN CASE
                WHEN may_keep_clock THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
                WHEN first_contact IS FALSE THEN CASE WHEN beside_beat IS NULL THEN 'low' ELSE 'medium' END
                WHEN new_to_host OR beside_beat IS NOT NULL THEN 'high'
                ELSE 'medium'
            END
        WHEN first_contact THEN 'medium'
        ELSE 'low'
    END AS severity,
    b['score'] AS score,
    b['p_value'] AS p_value,
    account_id, region, host, remote, port, protocol, 'client' AS role, interface_id,
    b['first_s'] AS first_seen,
    b['last_s'] AS last_seen,
    b['period_s'] AS period_s,
    b['jitter_ratio'] AS jitter_ratio,
    b['missed_ratio'] AS missed_ratio,
    b['connections'] AS connections,
    b['members'] AS hosts_pooled,
    b['addresses'] AS hosts,
    b['all_addresses'] AS members,
    CASE WHEN b['silent'] > 0 THEN b['silent'] END AS silent_hosts,
    CASE WHEN unheard THEN FALSE END AS answers_logged,
    b['method'] AS method,
    b['member_p_value'] AS member_p_value,
    CASE WHEN keeps_clock THEN coalesce(b['clock_period_s'], b['possible_clock_s'], b['resolution_s']) END
        AS clock_period_s,
    b['span_ratio'] AS span_ratio,
    b['rita_score'] AS rita_score_of_best_host,
    bytes_out, bytes_in, window_s, prevalence_hosts, first_contact, beside_beat,
    network_owner(remote) AS network_owner,
    concat(
        CAST(b['members'] AS VARCHAR), ' hosts, among them ', ip(host), ', called ', ip(remote), ' on ',
        protocol_name(protocol), ' port ',
        CAST(port AS VARCHAR), ', each every ', human_duration(b['period_s']), ' ± ',
        CAST(CAST(round(100 * b['jitter_ratio']) AS BIGINT) AS VARCHAR), ' %, ', CAST(b['connections'] AS VARCHAR),
        ' connections in all: together they keep time far more surely than the best of them alone',
        CASE
            WHEN b['silent'] = b['members'] THEN '; it never answered'
            WHEN b['silent'] > 0 THEN concat('; it never answered ', CAST(b['silent'] AS VARCHAR), ' of them')
            ELSE '' END,
        CASE WHEN first_contact THEN '; none of them called it before the window' ELSE '' END, '.',
        CASE WHEN keeps_clock THEN ' They keep the wall clock, as scheduled jobs do.'
            WHEN may_keep_clock THEN ' They may keep the wall clock: the log does not tell a scheduled job from sleeps here.'
            ELSE '' END,
        CASE WHEN unheard THEN ' The log has one direction only, so answers do not show.' ELSE '' END
    ) AS explanation
FROM timed
