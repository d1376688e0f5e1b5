-- title: New service reached from the Internet
-- what: a port that answers the Internet and did not before
-- severity follows: kind of service
-- techniques: T1133 T1190
-- about: A port of a host answered remotes outside in the window and none in the history: a new exposed service, a
-- about: changed security group, or a backdoor that listens. Closed ports and bare handshakes do not count. Without
-- about: history only administration and data stores are named, since nothing tells what is new.
-- parameter min_connections = 1: connections that it answered; services with fewer are not reported
WITH reached AS (
    SELECT
        *,
        CASE
            WHEN protocol = 6 AND port IN (22, 3389, 5985, 5986, 5900, 23, 10250, 2375, 2376) THEN 'administration'
            WHEN protocol = 6 AND port IN (135, 139, 445, 2049, 111, 873, 21) THEN 'file sharing'
            WHEN port IN (1433, 1521, 2379, 3306, 5432, 5984, 6379, 7000, 7001, 8020, 9042, 9092, 9200, 9300, 11211,
                27017, 50070) THEN 'a data store'
        END AS sensitive
    FROM services
    WHERE connections >= $min_connections AND protocol IN (6, 17) AND first_contact IS NOT FALSE
)
SELECT
    CASE
        WHEN first_contact IS NULL THEN 'informational'
        WHEN sensitive IS NOT NULL THEN 'medium'
        -- Ephemeral ports may be the data channel of another service.
        WHEN port >= 32768 AND remotes = 1 THEN 'informational'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + CASE WHEN sensitive IS NULL THEN 0.0 ELSE 0.2 END + ln(CAST(remotes AS DOUBLE)) / 20) AS score,
    account_id, region, host,
    CASE WHEN remotes = 1 THEN top_remote END AS remote,
    port, protocol, 'server' AS role, interface_id, first_seen, last_seen,
    sensitive,
    remotes,
    connections, bytes_out, bytes_in,
    ip(top_remote) AS top_remote,
    network_owner(top_remote) AS network_owner,
    first_contact,
    concat(
        ip(host), ' answered ', CAST(remotes AS VARCHAR), CASE WHEN remotes = 1 THEN ' remote' ELSE ' remotes' END,
        ' outside on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR),
        CASE WHEN sensitive IS NOT NULL THEN concat(', which is ', sensitive) ELSE '' END, ': ',
        CAST(connections AS VARCHAR), ' connections, ', human_bytes(bytes_out), ' out, most with ', ip(top_remote),
        CASE WHEN first_contact THEN '; it answered none before the window' ELSE '' END, '.',
        CASE WHEN first_contact IS NULL THEN ' Lowered: without history nothing tells that it is new.' ELSE '' END
    ) AS explanation
FROM reached
WHERE first_contact OR sensitive IS NOT NULL
