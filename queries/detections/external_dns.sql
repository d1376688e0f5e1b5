-- title: Own choice of DNS resolver
-- what: external resolvers that only few hosts ask; tunnels by the volume and size of questions
-- severity follows: tunnel, first contact
-- techniques: T1071.004 T1048.003
-- about: A host asked a resolver outside, over plain DNS or DNS over TLS, instead of the VPC's (whose queries are never
-- about: logged). Volume and size of the questions tell tunnels from look-ups. Resolvers that many hosts share are the
-- about: organisation's own choice and not reported.
-- once: resolvers
-- parameter common_share = 0.2: share of hosts; a resolver met by at least so many is shared
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter min_packets = 20: packets out to one resolver; fewer are not reported
-- parameter tunnel_bytes = 5000000: bytes out to one resolver from which it may be a tunnel
-- parameter tunnel_packet_bytes = 110: bytes of a mean packet out from which it may be a tunnel: look-ups are smaller
WITH asked AS (
    SELECT
        *,
        -- Zone transfers and DNS over TLS have large packets by nature; only plain queries are evidence.
        port = 53 AND bytes_out >= $tunnel_bytes AND bytes_out >= $tunnel_packet_bytes * packets_out AS tunnel
    FROM pairs
    WHERE external AND role = 'client' AND port IN (53, 853) AND protocol IN (6, 17) AND rejected < records
        AND (bytes_in > 0 OR one_way)
        AND NOT local_scope AND packets_out >= $min_packets
        AND ($hosts < $few_hosts OR prevalence_hosts <= 2 OR prevalence_share < $common_share)
),
resolvers AS (
    SELECT *
    FROM (
        SELECT
            *,
            count(*) OVER (PARTITION BY account_id, region, host) AS resolvers,
            sum(bytes_out) OVER (PARTITION BY account_id, region, host) AS bytes_out_all,
            row_number() OVER (PARTITION BY account_id, region, host
                ORDER BY tunnel DESC, bytes_out DESC, remote, port, protocol) AS nth
        FROM asked
    )
    WHERE nth = 1
)
SELECT
    CASE
        WHEN tunnel AND first_contact IS FALSE THEN 'low'
        WHEN tunnel THEN 'medium'
        ELSE 'informational'
    END AS severity,
    least(1.0, 0.2 + ln(1 + CAST(bytes_out AS DOUBLE)) / 30) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    tunnel,
    bytes_out, bytes_in,
    CAST(bytes_out AS DOUBLE) / greatest(packets_out, 1) AS bytes_per_packet_out,
    packets_out, connections,
    resolvers,
    bytes_out_all,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    concat(
        ip(host), ' asked the resolver ', ip(remote), ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR),
        ': ',
        CAST(packets_out AS VARCHAR), ' packets, ', human_bytes(bytes_out), ' out, ', human_bytes(bytes_in), ' in',
        CASE WHEN resolvers > 1 THEN concat('; ', CAST(resolvers - 1 AS VARCHAR), ' more resolvers') ELSE '' END,
        CASE WHEN first_contact THEN '; never asked before the window' ELSE '' END,
        CASE WHEN tunnel THEN '; so much in so large questions is a tunnel rather than look-ups' ELSE '' END, '.'
    ) AS explanation
FROM resolvers
