-- title: Mail to many servers
-- what: mail connections to many external servers
-- severity follows: habit in the baseline
-- techniques: T1496 T1071.003
-- about: A host opened connections to many mail servers outside (ports 25, 465, 587): spam, or an own mail relay,
-- about: which the baseline knows. A client of one provider meets few addresses.
-- parameter min_remotes = 30: mail servers outside; fewer are never reported
-- parameter min_connections = 60: connections to them; fewer are never reported
WITH mail AS (
    SELECT
        account_id, region, host,
        -- A remote that takes mail on two ports counts twice: that is rare, and distinct counts cannot be spilled.
        count(*) AS remotes,
        sum(connections) AS connections,
        sum(rejected) AS rejected,
        sum(bytes_out) AS bytes_out,
        sum(bytes_in) AS bytes_in,
        sum(CASE WHEN first_contact IS FALSE THEN 1 ELSE 0 END) AS known_pairs,
        CASE WHEN min(port) = max(port) THEN min(port) END AS port,
        min(interface_id) AS interface_id,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen,
        min(remote) AS lowest_remote,
        max(remote) AS highest_remote
    FROM pairs
    WHERE external AND role = 'client' AND protocol = 6 AND port IN (25, 465, 587)
    GROUP BY account_id, region, host
)
SELECT
    CASE
        WHEN rejected >= connections THEN 'low'
        -- A relay keeps meeting the large providers; a spammer's list is new.
        WHEN 10 * known_pairs >= remotes THEN 'low'
        WHEN $has_history THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(remotes AS DOUBLE) / $min_remotes) / 10) AS score,
    account_id, region, host, port, CAST(6 AS TINYINT) AS protocol, 'client' AS role, interface_id, first_seen,
    last_seen,
    remotes AS destinations,
    connections, rejected, bytes_out, bytes_in,
    known_pairs,
    ip(lowest_remote) AS lowest_remote,
    ip(highest_remote) AS highest_remote,
    concat(
        ip(host), ' opened ', CAST(connections AS VARCHAR), ' mail connections to ', CAST(remotes AS VARCHAR),
        ' servers outside and sent ', human_bytes(bytes_out),
        CASE WHEN $has_history AND known_pairs = 0 THEN '; it met none of them before the window' ELSE '' END, '.',
        CASE WHEN rejected >= connections THEN ' Lowered: all of it was rejected.'
            WHEN 10 * known_pairs >= remotes THEN ' Lowered: it sent mail before the window too, as relays do.'
            ELSE '' END
    ) AS explanation
FROM mail
WHERE remotes >= $min_remotes AND connections >= $min_connections
