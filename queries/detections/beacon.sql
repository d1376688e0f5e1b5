-- title: Regular contact with one remote
-- what: connection starts of one pair that keep time, with jitter, missed beats and bursts, under noise; slow ones over the whole history; TCP and UDP, inbound and outbound apart; p-values from simulated null tables
-- severity follows: how many hosts share the remote, whether it is new, what else speaks for an implant, role, wall clock
-- techniques: T1071 T1573
-- about: Connection starts of one pair that keep time: an implant that calls home, with jitter, missed beats or bursts.
-- about: Software that polls does the same, so severity follows context: how many hosts share the remote, whether it
-- about: is new, its role, and whether it keeps the clock as scheduled jobs do: implants sleep after their work, so their
-- about: phase wanders. Where there are too few beats, or the log is too coarse, to tell, severity is medium at most.
-- about: Calls that are all rejected, reset or ignored are left to `unanswered_calls`, unless the log has one direction
-- about: only: then nobody can tell, and the finding says so.
-- about: Timers of systems and vendors drift as implants do. So a beat to a rare remote is high only if history shows that
-- about: the remote is new to the host, or if something else speaks: an unusual port, answers too small for TLS, calls that
-- about: send more than the little they get, many sleeps of varied length, an upload. A public resolver or time server
-- about: that is asked is informational.
-- discovery: p_value
-- about: A pair of few connections a window is judged by those of the whole history, so that a beacon may be daily.
-- parameter min_connections = 6: connections in the window, or of a slow pair in history and window; fewer are not judged
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
-- parameter connected_share = 0.3: share of the period; connections that last so long one after the other are a session that reconnects
-- parameter settled_hours = 48: hours with egress before the window from which a remote never seen is new to the host
-- parameter download_bytes = 1000000: bytes in of the mean call from which it is a download, and severity ends at medium
-- parameter varied_jitter = 0.12: jitter from which many sleeps are varied on purpose
-- parameter varied_sleeps = 100: sleeps that show so
-- parameter common_share = 0.2: share of hosts; a remote met by at least so many is shared infrastructure
WITH trains AS (
    SELECT
        *,
-- include: unheard
        AS unheard,
        cardinality(slow_starts) > 0 AS slow,
        CASE WHEN cardinality(slow_starts) > 0 THEN slow_starts ELSE starts END AS train
    FROM pairs
    WHERE NOT local_scope AND NOT mirrored
        -- Uses only the lists' lengths: most pairs have no list, and none is copied for them.
        AND CASE WHEN cardinality(slow_starts) > 0 THEN cardinality(slow_starts)
            ELSE cardinality(starts) END >= $min_connections
        -- What never answered is left to `unanswered_calls`, which judges the window: not so the trains of the history.
        AND (cardinality(slow_starts) > 0 OR NOT
-- include: never_answered
        )
),
judged AS (
    SELECT
        *,
        -- A p-value above the rate can never be reported, so only smaller ones are described.
        beacon_statistics(
            train, sizes, CASE WHEN slow THEN $baseline_from_s ELSE $window_from_s END, $window_to_s, window_s, $fdr,
            interface_id
        ) AS b,
        prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) AS rare,
        prevalence_share >= $common_share AND prevalence_hosts > 2 AS common
    FROM trains
),
-- include: clocks
-- include: settled
placed AS (
    SELECT
        h.*,
        first_contact IS NOT FALSE AND coalesce(s.settled, FALSE) AS new_to_host,
        bytes_in >= $download_bytes * connections AND bytes_in >= 50 * bytes_out AS downloads,
        coalesce(
-- include: second_kind
            , CASE WHEN beats >= $varied_sleeps AND b['jitter_ratio'] BETWEEN $varied_jitter AND 0.7
                AND b['missed_ratio'] <= 0.1 AND b['method'] = 'renewal' AND b['p_value'] <= 1e-20
                THEN 'the sleeps vary as implants are told to' END
        ) AS beside_beat,
        role = 'client' AND protocol = 6 AND port IN (1080, 3128, 8118, 9050) AS to_proxy,
        -- Where times lie on a grid of windows, beats shorter than two windows are known only by their number.
        b['method'] = 'counts' AND NOT exact AND b['period_s'] < 2 * b['resolution_s'] AS too_fast,
        -- Records beyond the first windows of each connection: a connection that lasts until the next is not a
        -- check-in.
        b['period_s'] >= 10 * window_s
            AND (CAST(records AS DOUBLE) / (2 * greatest(connections, 1)) - 2) * window_s >= $connected_share
                * b['period_s'] AS stays_connected,
        CASE
            WHEN port = 123 AND protocol = 17 THEN 'NTP keeps time by design'
            WHEN protocol IN (1, 58) THEN 'echo requests are monitoring'
            WHEN role = 'client' AND known_service(remote, port, protocol) IS NOT NULL AND bytes_out < 110 * packets_out
                THEN concat('the remote is the public resolver of ', known_service(remote, port, protocol))
            -- Anyone can put a controller on an instance or behind these front doors: they prove nothing.
            WHEN role = 'client' AND aws_service IS NOT NULL
                AND aws_service NOT IN ('EC2', 'AMAZON', 'CLOUDFRONT', 'API_GATEWAY', 'GLOBALACCELERATOR')
                THEN concat('the remote is AWS ', aws_service)
            WHEN role = 'client' AND $hosts >= $few_hosts AND common
                THEN concat(CAST(prevalence_hosts AS VARCHAR), ' hosts share the remote')
        END AS lowered_because
    FROM held h
    LEFT JOIN settled s ON s.account_id = h.account_id AND s.region = h.region AND s.host = h.host
    WHERE b IS NOT NULL
)
SELECT
    CASE
        WHEN lowered_because IS NOT NULL THEN 'informational'
        WHEN role = 'server' OR stays_connected THEN 'low'
        -- What keeps time with a proxy keeps time with something outside.
        WHEN NOT external
            THEN CASE WHEN to_proxy AND first_contact IS NOT FALSE AND NOT keeps_clock THEN 'medium' ELSE 'low' END
        WHEN $hosts < $few_hosts THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        -- Implants sleep after their work, so they drift; what keeps the wall clock was scheduled.
        WHEN rare AND keeps_clock THEN CASE WHEN first_contact THEN 'medium' ELSE 'low' END
        -- A job at an hour of the day is common, and its hour shows before its drift would.
        WHEN rare AND may_keep_clock
            THEN CASE WHEN first_contact IS FALSE OR first_contact IS NULL AND b['possible_clock_s'] = 86400 THEN 'low'
                ELSE 'medium' END
        -- Where only the number of beats is known, neither drift nor clock shows.
        WHEN rare AND too_fast THEN CASE WHEN new_to_host THEN 'high' ELSE 'medium' END
        WHEN rare AND downloads THEN CASE WHEN first_contact IS FALSE THEN 'low' ELSE 'medium' END
        -- Nothing in a beat distinguishes an implant from a vendor's timer: history or a second kind of evidence must.
        WHEN rare THEN CASE
            WHEN first_contact IS FALSE THEN CASE WHEN beside_beat IS NULL THEN 'low' ELSE 'medium' END
            WHEN new_to_host OR beside_beat IS NOT NULL THEN 'high'
            ELSE 'medium'
        END
        -- Uncommon: many hosts at once that were all silent before the window may be an outbreak.
        WHEN first_contact AND NOT keeps_clock THEN 'medium'
        ELSE 'low'
    END AS severity,
    b['score'] AS score,
    b['p_value'] AS p_value,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    b['period_s'] AS period_s,
    b['jitter_ratio'] AS jitter_ratio,
    b['missed_ratio'] AS missed_ratio,
    CASE WHEN NOT too_fast THEN b['sleep_low_s'] END AS sleep_low_s,
    CASE WHEN NOT too_fast THEN b['sleep_high_s'] END AS sleep_high_s,
    b['other_period_s'] AS other_period_s,
    CASE WHEN NOT too_fast THEN to_timestamp_seconds(CAST(train[-1] + round(b['period_s']) AS BIGINT)) END AS next_beat,
    CASE WHEN slow THEN cardinality(train) ELSE connections END AS connections,
    b['check_ins'] AS check_ins,
    b['connections_per_check_in'] AS connections_per_check_in,
    b['method'] AS method,
    b['shape'] AS shape,
    CASE WHEN keeps_clock THEN coalesce(b['clock_period_s'], b['possible_clock_s'], b['resolution_s']) END
        AS clock_period_s,
    b['active_from_h'] AS active_from_utc_h,
    b['active_to_h'] AS active_to_utc_h,
    b['same_size_ratio'] AS same_size_ratio,
    b['span_ratio'] AS span_ratio,
    b['rita_score'] AS rita_score,
    bytes_out, bytes_in, rejected, longest_s, window_s,
    CASE WHEN role = 'client' THEN prevalence_hosts END AS prevalence_hosts,
    first_contact,
    CASE WHEN role = 'client' AND external THEN beside_beat END AS beside_beat,
    network_owner(remote) AS network_owner,
    aws_service,
    lowered_because,
    CASE WHEN unheard THEN FALSE END AS answers_logged,
    concat(
        CASE WHEN role = 'client' THEN concat(ip(host), ' called ', ip(remote))
            ELSE concat(ip(remote), ' called ', ip(host)) END,
        ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ' every ', human_duration(b['period_s']),
        ' ± ', CAST(CAST(round(100 * b['jitter_ratio']) AS BIGINT) AS VARCHAR), ' %, ',
        CAST(CASE WHEN slow THEN cardinality(train) ELSE connections END AS VARCHAR), ' connections over ',
        human_duration(b['span_s']),
        CASE WHEN b['missed_ratio'] >= 0.05
            THEN concat(', ', CAST(CAST(round(100 * b['missed_ratio']) AS BIGINT) AS VARCHAR), ' % of beats missed')
            ELSE '' END,
        CASE WHEN b['other_period_s'] IS NOT NULL
            THEN concat(', and a second train every ', human_duration(b['other_period_s'])) ELSE '' END,
        CASE WHEN b['active_from_h'] IS NOT NULL
            THEN concat(', only from ', CAST(b['active_from_h'] AS VARCHAR), ' to ', CAST(b['active_to_h'] AS VARCHAR),
                ' o''clock UTC')
            ELSE '' END,
        CASE WHEN too_fast
            THEN concat('; beats too fast for times in steps of ', CAST(b['resolution_s'] AS VARCHAR),
                ' s, so only their number tells')
            ELSE '' END,
        CASE
            WHEN role = 'client' AND external AND $hosts >= $few_hosts AND prevalence_hosts = 1
                THEN '; no other host talks to this remote'
            WHEN role = 'client' AND external AND $hosts >= $few_hosts
                THEN concat('; ', CAST(prevalence_hosts AS VARCHAR), ' hosts talk to this remote')
            ELSE '' END,
        CASE WHEN rejected >= records THEN '; all were rejected' ELSE '' END,
        CASE WHEN first_contact THEN ', never seen before the window' ELSE '' END,
        CASE WHEN role = 'client' AND external AND lowered_because IS NULL AND beside_beat IS NOT NULL
            THEN concat('; ', beside_beat) ELSE '' END,
        '.',
        CASE WHEN lowered_because IS NOT NULL THEN concat(' Lowered: ', lowered_because, '.') ELSE '' END,
        CASE WHEN lowered_because IS NULL AND keeps_clock
            THEN ' It keeps the wall clock, as scheduled jobs do.'
            WHEN lowered_because IS NULL AND may_keep_clock
                THEN ' It may keep the wall clock: the log does not tell a scheduled job from sleeps here.' ELSE '' END,
        CASE WHEN lowered_because IS NULL AND downloads
            THEN concat(' Each call fetches ', human_bytes(CAST(bytes_in / greatest(connections, 1) AS BIGINT)), '.') ELSE '' END,
        CASE WHEN lowered_because IS NULL AND stays_connected
            THEN ' Each connection lasts until about the next: a session that reconnects.' ELSE '' END,
        CASE WHEN NOT external AND to_proxy THEN ' The port is that of a proxy: who is called stands in its log.'
            ELSE '' END,
        CASE WHEN unheard THEN ' The log has one direction only, so answers do not show.' ELSE '' END
    ) AS explanation
FROM placed
