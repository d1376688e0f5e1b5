-- title: Many equal requests within minutes
-- what: bursts of connections of one size to a rare remote that keep no time: an operator at work through an implant, tools fetched in pieces; p-values from the sharing of connections among kinds of requests
-- severity follows: whether the remote is new; medium at most
-- techniques: T1071 T1105
-- about: Hundreds of connections within minutes to a rare remote, nearly all with the same bytes out, without a beat: an
-- about: operator who works through an implant, whose polls mostly have nothing to say, or tools fetched in pieces.
-- about: Browsers, package managers and most clients of an API make requests of several sizes. A program that repeats
-- about: one single request looks the same, so severity ends at medium. Where the log has one direction only, whether
-- about: anyone answers does not show, and the finding says so.
-- once: busy
-- discovery: p_value
-- parameter min_burst = 60: connections in the fullest ten minutes; fewer are not judged
-- parameter max_beat_p = 0.001: p-value of the connections' timing up to which they keep time, which `beacon` reports
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at low
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH busy AS (
    SELECT
        *,
        burst_statistics(starts, sizes) AS e,
-- include: unheard
        AS unheard
    FROM pairs
    WHERE role = 'client' AND external AND NOT local_scope AND NOT mirrored AND protocol IN (6, 17)
        AND port NOT IN (53, 853, 123)
        AND cardinality(starts) >= $min_burst AND rejected < records
        -- What gets no data back has nobody at the other end.
        AND (bytes_in > 84 * packets_in OR one_way AND packets_in = 0)
        AND prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts))
        AND (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON', 'CLOUDFRONT', 'API_GATEWAY', 'GLOBALACCELERATOR'))
),
bursts AS (
    SELECT
        *,
        beacon_statistics(
            starts, sizes, $window_from_s, $window_to_s, window_s, $max_beat_p, interface_id
        )['p_value'] AS beat_p_value
    FROM busy
    WHERE e['connections'] >= $min_burst
)
SELECT
    CASE
        WHEN first_contact IS FALSE OR $hosts < $few_hosts THEN 'low'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.2 + 0.4 * e['same_size_ratio'] + ln(e['connections'] / CAST($min_burst AS DOUBLE)) / 10) AS score,
    e['p_value'] AS p_value,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    connections,
    e['connections'] AS connections_in_burst,
    to_timestamp_seconds(e['from_s']) AS burst_from,
    e['same_size_ratio'] AS same_size_ratio,
    e['size_bytes'] AS size_bytes,
    active_hours,
    bytes_out, bytes_in, longest_s,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    CASE WHEN unheard THEN FALSE END AS answers_logged,
    concat(
        ip(host), ' opened ', CAST(e['connections'] AS VARCHAR), ' connections to ', ip(remote), ' on ',
        protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ' within ten minutes, ',
        CAST(CAST(floor(100 * e['same_size_ratio']) AS BIGINT) AS VARCHAR), ' % of all ',
        CAST(connections AS VARCHAR), ' with about ', human_bytes(CAST(e['size_bytes'] AS BIGINT)),
        ' out, and they keep no time: polls of a session, or one request repeated',
        CASE WHEN first_contact THEN '; never seen before the window' ELSE '' END, '.',
        CASE WHEN unheard THEN ' The log has one direction only, so answers do not show.' ELSE '' END
    ) AS explanation
FROM bursts
WHERE coalesce(beat_p_value, 1.0) > $max_beat_p
