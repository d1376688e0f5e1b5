-- title: A connection every second
-- what: a connection every second, hour after hour
-- severity follows: prevalence of the remote, first contact
-- techniques: T1071 T1572
-- about: Connections of one pair at a rate that no person makes, hour after hour: a tunnel over short connections, an
-- about: implant that polls. Applications without a pool of connections do the same with their own
-- about: servers, so only rare external remotes are more than informational. Rates too high for timing statistics.
-- parameter min_per_hour = 3000: connections in a mean active hour
-- parameter min_connections = 600: connections in the window; fewer are not reported
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH rates AS (
    SELECT
        *,
        -- A partial window would make a short storm look slow.
        greatest(600,
            least(3600 * active_hours, CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT) + 1)) AS active_s,
        prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) AS rare
    FROM pairs
    WHERE connections >= $min_connections AND role = 'client' AND external AND NOT local_scope AND protocol IN (6, 17)
        -- What never answered is left to `unanswered_calls`.
        AND NOT
-- include: never_answered
        AND NOT (port IN (53, 853, 123))
)
SELECT
    CASE
        WHEN aws_service IS NOT NULL
            AND aws_service NOT IN ('EC2', 'AMAZON', 'CLOUDFRONT', 'API_GATEWAY', 'GLOBALACCELERATOR')
            THEN 'informational'
        WHEN $hosts >= $few_hosts AND NOT rare THEN 'informational'
        WHEN first_contact IS FALSE THEN 'low'
        WHEN first_contact THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + ln(3600.0 * CAST(connections AS DOUBLE) / CAST(active_s AS DOUBLE) / $min_per_hour) / 10) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    connections,
    CAST(connections AS DOUBLE) / CAST(active_s AS DOUBLE) AS connections_per_s,
    active_hours,
    CAST(bytes_out AS DOUBLE) / CAST(connections AS DOUBLE) AS bytes_out_per_connection,
    CAST(bytes_in AS DOUBLE) / CAST(connections AS DOUBLE) AS bytes_in_per_connection,
    bytes_out, bytes_in, rejected,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        ip(host), ' opened ', CAST(connections AS VARCHAR), ' connections to ', ip(remote), ' on ',
        protocol_name(protocol), ' port ',
        CAST(port AS VARCHAR), ', ',
        CAST(round(10.0 * CAST(connections AS DOUBLE) / CAST(active_s AS DOUBLE)) / 10 AS VARCHAR),
        ' a second while it did',
        CASE WHEN first_contact THEN '; never seen before the window' ELSE '' END, '.',
        CASE WHEN $hosts >= $few_hosts AND NOT rare THEN ' Lowered: many hosts call that remote.' ELSE '' END
    ) AS explanation
FROM rates
WHERE 3600.0 * CAST(connections AS DOUBLE) >= CAST($min_per_hour AS DOUBLE) * CAST(active_s AS DOUBLE)
