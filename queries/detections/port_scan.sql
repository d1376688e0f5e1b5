-- title: Port scan
-- what: many ports of one remote that reject, reset or stay silent; the Internet's own scanners are informational
-- severity follows: habit in the baseline, number of ports
-- techniques: T1046 T1595.001
-- about: One side tried many ports of the other and got next to nothing back: connections that were rejected, never
-- about: answered, or closed after a few packets. Scanners of the Internet that reach a host are informational.
-- about: Vulnerability scanners and inventories do the same; a host that did it before the window is lowered. Where the
-- about: log has one direction only, a single packet a connection is needed: whoever is answered sends a second.
-- parameter min_ports = 20: ports of one remote; fewer are never reported
-- parameter many_ports = 100: ports from which a scan by a host itself may be high
-- parameter most_bytes = 600: bytes of a connection, both ways, up to which it is a probe
-- parameter most_packets = 8: packets of a connection, both ways, up to which it is a probe
-- parameter min_silent_share = 0.5: share of the ports tried that rejected or never answered
WITH probes AS (
    SELECT
        *,
        rejected >= records
            OR CASE WHEN one_way AND least(packets_in, packets_out) = 0
                THEN protocol = 6 AND packets_in + packets_out <= greatest(connections, 1)
                ELSE (CASE WHEN role = 'client' THEN packets_in ELSE packets_out END) = 0
                    -- A closed port answers with one reset per try.
                    OR protocol = 6 AND (CASE WHEN role = 'client' THEN bytes_in ELSE bytes_out END)
                        <= 60 * greatest(connections, 1) END AS silent
    FROM pairs
    WHERE protocol IN (6, 17) AND port > 0 AND NOT local_scope AND NOT mirrored
        -- Web sites have millions of visitors, and each brings one of these two ports.
        AND (role = 'client' OR port NOT IN (80, 443))
        AND bytes_out + bytes_in <= $most_bytes * greatest(connections, 1)
        AND packets_out + packets_in <= $most_packets * greatest(connections, 1)
),
scans AS (
    SELECT
        account_id, region, host, remote, role, protocol, external,
        -- Within these groups, pairs differ only in the port.
        count(*) AS ports,
        sum(CAST(silent AS BIGINT)) AS silent_ports,
        sum(CASE WHEN first_contact IS FALSE THEN 1 ELSE 0 END) AS known_ports,
        sum(connections) AS connections,
        sum(rejected) AS rejected,
        sum(bytes_out) AS bytes_out,
        sum(bytes_in) AS bytes_in,
        min(port) AS lowest_port,
        max(port) AS highest_port,
        min(interface_id) AS interface_id,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen,
        max(prevalence_hosts) AS prevalence_hosts
    FROM probes
    GROUP BY account_id, region, host, remote, role, protocol, external
    HAVING count(*) >= $min_ports
)
SELECT
    CASE
        WHEN role = 'server' AND external THEN 'informational'
        WHEN 2 * known_ports >= ports THEN 'low'
        WHEN role = 'server' THEN 'medium'
        WHEN ports >= $many_ports AND $has_history THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(ports AS DOUBLE) / $min_ports) / 10 + 0.2 * silent_ports / ports) AS score,
    account_id, region, host, remote, protocol, role, interface_id, first_seen, last_seen,
    ports,
    silent_ports,
    lowest_port, highest_port,
    known_ports,
    connections, rejected, bytes_out, bytes_in,
    network_owner(remote) AS network_owner,
    concat(
        CASE WHEN role = 'client'
            THEN concat(ip(host), ' tried ', CAST(ports AS VARCHAR), ' ', protocol_name(protocol), ' ports of ',
                ip(remote))
            ELSE concat(ip(remote), ' tried ', CAST(ports AS VARCHAR), ' ', protocol_name(protocol), ' ports of ',
                ip(host)) END,
        ' between ', CAST(lowest_port AS VARCHAR), ' and ', CAST(highest_port AS VARCHAR), ' within ',
        human_duration(CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT)), ', a few packets each; ',
        CAST(silent_ports AS VARCHAR), ' were rejected, closed or silent.',
        CASE WHEN role = 'server' AND external THEN ' Lowered: the Internet scans every address.'
            WHEN 2 * known_ports >= ports
                THEN ' Lowered: it tried most of them before the window too, as inventories do.'
            ELSE '' END
    ) AS explanation
FROM scans
WHERE silent_ports >= $min_silent_share * ports
