-- title: Connection of many hours
-- what: one connection, joined over all windows, that stays open for hours
-- severity follows: role, prevalence, first contact
-- techniques: T1071 T1572
-- about: One connection, joined over all its windows, that stays open for hours: a tunnel, a remote shell, a session
-- about: implant, a bot on its chat server; also databases, message buses and people at a terminal.
-- about: The cadence says how it lives: how much of the time its windows hold traffic, and how even its hours are.
-- parameter min_s = 3600: seconds; shorter connections are not reported
-- parameter long_s = 28800: seconds; from here on severity may be medium
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter rare_share = 0.02: share of hosts; a remote met by no more (or by two hosts) is rare
SELECT
    CASE
        WHEN NOT external THEN 'informational'
        WHEN role = 'server' THEN CASE WHEN longest_s >= $long_s THEN 'low' ELSE 'informational' END
        -- Botnets stay on old chat protocols; servers hardly use them.
        WHEN port IN (194, 6697, 7000) OR port BETWEEN 6660 AND 6669
            THEN CASE WHEN first_contact IS FALSE OR protocol <> 6 THEN 'low' ELSE 'medium' END
        WHEN $hosts >= $few_hosts AND prevalence_hosts > greatest(2, $rare_share * $hosts) THEN 'informational'
        WHEN longest_s >= $long_s AND first_contact THEN 'medium'
        WHEN longest_s >= $long_s THEN 'low'
        ELSE 'informational'
    END AS severity,
    least(1.0, longest_s / 86400.0) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    longest_s,
    connections,
    bytes_out, bytes_in,
    CASE WHEN bytes_in > 0 THEN CAST(bytes_out AS DOUBLE) / CAST(bytes_in AS DOUBLE) END AS out_in_ratio,
    -- Two records per window, one each way, of one connection that is the pair's only one.
    CASE WHEN connections <= 1 AND records > 0
        THEN least(1.0, CAST(records AS DOUBLE) * greatest(window_s, 1)
            / (2 * CAST(longest_s AS DOUBLE))) END AS busy_windows_ratio,
    CASE WHEN connections <= 1 AND records > 0
        THEN greatest(CAST(window_s AS DOUBLE), 2 * CAST(longest_s AS DOUBLE)
            / CAST(records AS DOUBLE)) END AS sign_of_life_s,
    -- 1 where every active hour sends as much: a channel that keeps itself alive; more, where someone works.
    CASE WHEN bytes_out > 0
        THEN CAST(max_hour_bytes_out AS DOUBLE) * active_hours
            / CAST(bytes_out AS DOUBLE) END AS fullest_hour_times_mean,
    bytes_out > bytes_in AS sends_more_than_it_gets,
    CASE WHEN role = 'client' THEN prevalence_hosts END AS prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        CASE WHEN role = 'client' THEN concat(ip(host), ' kept a connection to ', ip(remote))
            ELSE concat(ip(remote), ' kept a connection to ', ip(host)) END,
        ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ' open for ', human_duration(longest_s),
        '; ', human_bytes(bytes_out), ' out, ', human_bytes(bytes_in), ' in over the window',
        CASE WHEN first_contact THEN ', never seen before the window' ELSE '' END, '.'
    ) AS explanation
FROM pairs
WHERE longest_s >= $min_s AND NOT local_scope AND NOT mirrored AND rejected < records
