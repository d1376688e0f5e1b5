-- title: Unusual remote port
-- what: a conversation on an external port that hardly any host uses
-- severity follows: first contact, prevalence
-- techniques: T1571
-- about: A host talked, both ways, with an external port that it never used before and that hardly any host uses.
-- about: Without history only the rarity of the port speaks, which is little.
-- parameter min_connections = 3: connections; fewer are chance
-- parameter min_bytes = 1000: bytes each way; less is no conversation
-- parameter rare_hosts = 2: hosts that use the port at most; more make it the organisation's own
-- parameter few_hosts = 10: hosts with egress; with fewer there is nobody to compare with, and nothing is reported
WITH odd AS (
    SELECT *
    FROM pairs
    WHERE external AND role = 'client' AND protocol IN (6, 17) AND NOT local_scope AND port > 0
        -- Ports that everyone uses by design: web, mail, names, time, logins, VPN, chat, monitoring, media.
        AND port NOT IN (20, 21, 22, 25, 43, 53, 80, 110, 123, 143, 443, 465, 500, 587, 853, 993, 995, 1935, 3478, 4500,
            5060, 5061, 5222, 5228, 5671, 5672, 8080, 8443, 8883, 9418, 11371, 19302, 51820)
),
-- The ports of a host in the window; prevalence counts hosts, not pairs.
ports AS (
    SELECT
        account_id, region, host, port, protocol,
        sum(connections) AS connections,
        sum(bytes_out) AS bytes_out,
        sum(bytes_in) AS bytes_in,
        count(*) AS remotes,
        bool_or(first_contact IS FALSE) AS known,
        bool_and(first_contact) AS all_new,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen
    FROM odd
    GROUP BY account_id, region, host, port, protocol
),
shared AS (
    SELECT *, count(*) OVER (PARTITION BY port, protocol) AS port_hosts FROM ports
),
rare AS (
    SELECT * FROM shared
    WHERE port_hosts <= $rare_hosts AND NOT known AND $hosts >= $few_hosts
        AND connections >= $min_connections AND bytes_out >= $min_bytes AND bytes_in >= $min_bytes
),
named AS (
    SELECT
        r.*, o.remote, o.interface_id, o.aws_service, o.prevalence_hosts,
        row_number() OVER (PARTITION BY r.account_id, r.region, r.host, r.port, r.protocol
            ORDER BY o.bytes_out DESC, o.remote) AS nth
    FROM rare r
    JOIN odd o ON o.account_id = r.account_id AND o.region = r.region AND o.host = r.host AND o.port = r.port
        AND o.protocol = r.protocol
)
SELECT
    CASE
        WHEN aws_service IS NOT NULL AND aws_service NOT IN ('EC2', 'AMAZON') THEN 'informational'
        WHEN all_new AND prevalence_hosts = 1 THEN 'low'
        ELSE 'informational'
    END AS severity,
    least(1.0, 0.3 + ln(1 + CAST(bytes_out AS DOUBLE)) / 50) AS score,
    account_id, region, host, remote, port, protocol, 'client' AS role, interface_id, first_seen, last_seen,
    port_hosts,
    remotes AS destinations,
    connections, bytes_out, bytes_in,
    prevalence_hosts,
    all_new AS first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        ip(host), ' talked with ', ip(remote),
        CASE WHEN remotes > 1 THEN concat(' and ', CAST(remotes - 1 AS VARCHAR), ' more') ELSE '' END,
        ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ', which ',
        CASE WHEN port_hosts = 1 THEN 'no other host uses' ELSE concat(CAST(port_hosts AS VARCHAR), ' hosts use') END,
        CASE WHEN all_new THEN ' and which it never used before the window' ELSE '' END,
        ': ', CAST(connections AS VARCHAR), ' connections, ', human_bytes(bytes_out), ' out, ', human_bytes(bytes_in),
        ' in.'
    ) AS explanation
FROM named
WHERE nth = 1
