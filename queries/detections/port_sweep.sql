-- title: Sweep of one port over many addresses
-- what: one port of many remotes that reject, reset or stay silent
-- severity follows: habit in the baseline, number of remotes
-- techniques: T1046 T1018
-- about: A host tried one port (or echo requests) of many addresses, and most of them rejected, reset or never
-- about: answered: discovery before lateral movement, or a worm. Monitoring and inventories do the same over addresses
-- about: they know, so a host that did it before the window is lowered. ICMP to whoever called the host before is an
-- about: answer, not a try: an error about a closed port. Where the log has one direction only, a connection of a
-- about: single packet without data is a try in vain: whoever is answered sends a second.
-- once: suspects
-- parameter min_remotes = 25: addresses tried in vain on one port; fewer are never reported
-- parameter many_remotes = 200: addresses tried in vain from which a sweep may be high
-- parameter min_silent_share = 0.5: share of all addresses met on the port that were tried in vain
-- parameter most_bytes = 600: bytes of a connection, both ways, up to which it is a probe
-- parameter most_packets = 8: packets of a connection, both ways, up to which it is a probe
WITH tried AS (
    SELECT
        *,
        bytes_out + bytes_in <= $most_bytes * greatest(connections, 1)
            AND packets_out + packets_in <= $most_packets * greatest(connections, 1)
            AND (rejected >= records
                OR CASE WHEN one_way AND packets_in = 0
                        THEN protocol = 6 AND packets_out <= greatest(connections, 1) AND bytes_out <= 84 * packets_out
                    ELSE packets_in = 0 OR protocol = 6 AND bytes_in <= 60 * greatest(connections, 1) END) AS silent
    FROM pairs
    WHERE role = 'client' AND protocol IN (1, 6, 17, 58) AND NOT local_scope
),
-- Most hosts try nothing in vain, so those that do are found first and only they are counted in full.
suspects AS (
    SELECT account_id, region, host, port, protocol, count(*) AS silent_remotes
    FROM tried
    WHERE silent
    GROUP BY account_id, region, host, port, protocol
    HAVING count(*) >= $min_remotes
),
-- Who called those with ICMP before: errors answer them.
knocked AS (
    SELECT p.account_id, p.region, p.host, p.remote, min(p.first_seen) AS knocked_at
    FROM suspects s
    JOIN pairs p ON p.account_id = s.account_id AND p.region = s.region AND p.host = s.host
    WHERE s.protocol IN (1, 58) AND p.role = 'server' AND p.protocol NOT IN (1, 58)
    GROUP BY p.account_id, p.region, p.host, p.remote
),
sweeps AS (
    SELECT
        t.account_id, t.region, t.host, t.port, t.protocol,
        count(*) AS remotes,
        sum(CAST(t.silent AS BIGINT)) AS silent_remotes,
        sum(CASE WHEN t.silent AND t.external THEN 1 ELSE 0 END) AS silent_external,
        sum(CASE WHEN t.silent AND t.first_contact IS FALSE THEN 1 ELSE 0 END) AS known_remotes,
        sum(t.connections) AS connections,
        sum(t.rejected) AS rejected,
        sum(t.bytes_out) AS bytes_out,
        sum(t.bytes_in) AS bytes_in,
        min(t.remote) AS lowest_remote,
        max(t.remote) AS highest_remote,
        min(t.interface_id) AS interface_id,
        min(t.first_seen) AS first_seen,
        max(t.last_seen) AS last_seen
    FROM suspects s
    JOIN tried t ON t.account_id = s.account_id AND t.region = s.region AND t.host = s.host AND t.port = s.port
        AND t.protocol = s.protocol
    LEFT JOIN knocked k ON k.account_id = t.account_id AND k.region = t.region AND k.host = t.host
        AND k.remote = t.remote AND t.protocol IN (1, 58) AND k.knocked_at <= t.first_seen
    WHERE k.host IS NULL
    GROUP BY t.account_id, t.region, t.host, t.port, t.protocol
)
SELECT
    CASE
        WHEN 2 * known_remotes >= silent_remotes THEN 'low'
        WHEN silent_remotes >= $many_remotes AND $has_history THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(silent_remotes AS DOUBLE) / $min_remotes) / 10 + 0.2 * silent_remotes / remotes) AS score,
    account_id, region, host, port, protocol, 'client' AS role, interface_id, first_seen, last_seen,
    silent_remotes,
    remotes AS destinations,
    silent_external AS external_destinations,
    known_remotes,
    connections, rejected, bytes_out, bytes_in,
    ip(lowest_remote) AS lowest_remote,
    ip(highest_remote) AS highest_remote,
    concat(
        ip(host), ' tried ', protocol_name(protocol),
        CASE WHEN protocol IN (6, 17) THEN concat(' port ', CAST(port AS VARCHAR)) ELSE '' END, ' of ',
        CAST(remotes AS VARCHAR), ' addresses between ', ip(lowest_remote), ' and ', ip(highest_remote), ' within ',
        human_duration(CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT)), '; ',
        CAST(silent_remotes AS VARCHAR), ' rejected, reset or never answered',
        CASE WHEN silent_external = 0 THEN ', all of them inside'
            WHEN silent_external = silent_remotes THEN ', all of them outside' ELSE '' END, '.',
        CASE WHEN 2 * known_remotes >= silent_remotes
            THEN ' Lowered: it tried most of them before the window too, as monitoring does.' ELSE '' END
    ) AS explanation
FROM sweeps
WHERE silent_remotes >= $min_remotes AND silent_remotes >= $min_silent_share * remotes
