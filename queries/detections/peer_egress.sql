-- title: Upload beyond the peers
-- what: a host that uploads far more than the hosts of its subnet in the same hours; needs eight of them
-- severity follows: first contact, volume
-- techniques: T1048 T1567
-- about: What a host sent out as a client in the window, against the hosts of its subnet in the same hours (median and
-- about: MAD of the logarithm): a night in which all of them back up moves the whole group and nobody stands out. Off
-- about: where a subnet has too few hosts.
-- once: outliers
-- parameter floor_bytes = 500000000: bytes out in the window; less is never reported
-- parameter high_bytes = 5000000000: bytes out in the window from which severity may be medium
-- parameter min_z = 6: robust z of ln(1 + bytes) above which a host stands out
-- parameter min_peers = 8: hosts of the subnet, itself included; smaller groups are not judged
-- parameter min_times = 20: times the median of the group
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH members AS (
    SELECT *, ln(1 + CAST(bytes_out AS DOUBLE)) AS ln_bytes
    FROM hosts
    WHERE subnet_id IS NOT NULL AND destinations > 0
),
centred AS (
    SELECT *, median(ln_bytes) OVER peers AS median_ln, count(*) OVER peers AS peer_hosts
    FROM members
    WINDOW peers AS (PARTITION BY account_id, region, subnet_id)
),
spread AS (
    SELECT *, median(abs(ln_bytes - median_ln)) OVER (PARTITION BY account_id, region, subnet_id) AS mad_ln
    FROM centred
    WHERE peer_hosts >= $min_peers
),
outliers AS (
    SELECT *, robust_z(ln_bytes, median_ln, mad_ln) AS z, exp(median_ln) - 1 AS peer_median_bytes
    FROM spread
    WHERE bytes_out >= $floor_bytes AND ln_bytes >= median_ln + ln(CAST($min_times AS DOUBLE))
        AND bytes_out >= bytes_in
),
-- A remote counts once, whatever its ports.
met AS (
    SELECT
        p.account_id, p.region, p.host, p.remote,
        sum(p.bytes_out) AS bytes_out,
        count(*) AS ports,
        first_value(p.port ORDER BY p.bytes_out DESC, p.port, p.protocol) AS port,
        first_value(p.protocol ORDER BY p.bytes_out DESC, p.port, p.protocol) AS protocol,
        max(p.prevalence_hosts) AS prevalence_hosts,
        bool_and(p.first_contact) AS first_contact,
        max(p.aws_service) AS aws_service
    FROM outliers o
    JOIN pairs p ON p.account_id = o.account_id AND p.region = o.region AND p.host = o.host
    WHERE p.external AND p.role = 'client' AND o.z >= $min_z
    GROUP BY p.account_id, p.region, p.host, p.remote
),
takers AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY account_id, region, host ORDER BY bytes_out DESC, remote) AS nth,
        sum(CASE WHEN (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON')) AND first_contact IS NOT FALSE
                AND prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts))
            THEN bytes_out ELSE 0 END) OVER (PARTITION BY account_id, region, host) AS rare_bytes_out,
        bool_or(first_contact) OVER (PARTITION BY account_id, region, host) AS any_first
    FROM met
),
-- If one remote received more than half, the host is judged by it; otherwise several each received a part.
aimed AS (
    SELECT
        o.*,
        t.remote, t.bytes_out AS remote_bytes_out, t.rare_bytes_out,
        2 * t.bytes_out > o.bytes_out AS most,
        CASE WHEN t.ports = 1 THEN t.port END AS port,
        CASE WHEN t.ports = 1 THEN t.protocol END AS protocol,
        CASE WHEN 2 * t.bytes_out > o.bytes_out THEN t.prevalence_hosts END AS prevalence_hosts,
        CASE WHEN 2 * t.bytes_out > o.bytes_out THEN t.first_contact ELSE t.any_first END AS first_contact,
        CASE WHEN 2 * t.bytes_out > o.bytes_out THEN t.aws_service END AS aws_service,
        CASE
            WHEN 2 * t.bytes_out <= o.bytes_out
                THEN CASE WHEN 2 * t.rare_bytes_out < o.bytes_out
                    THEN 'most of it went to services, known remotes or such as many hosts share' END
            WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON')
                THEN concat('the remote is AWS ', t.aws_service)
            WHEN t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts))
                THEN 'many hosts share that remote'
        END AS lowered_because
    FROM outliers o
    JOIN takers t ON t.account_id = o.account_id AND t.region = o.region AND t.host = o.host AND t.nth = 1
    WHERE o.z >= $min_z
)
SELECT
    CASE
        WHEN lowered_because IS NOT NULL THEN 'informational'
        WHEN most AND first_contact IS FALSE THEN 'informational'
        WHEN first_contact AND bytes_out >= $high_bytes THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + ln(CAST(bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(z, 20) / 100) AS score,
    account_id, region, host,
    CASE WHEN most THEN remote END AS remote,
    CASE WHEN most THEN port END AS port,
    CASE WHEN most THEN protocol END AS protocol,
    'client' AS role, interface_id, first_seen, last_seen,
    bytes_out, bytes_in,
    CAST(bytes_out AS DOUBLE) / greatest(1.0, peer_median_bytes) AS times_peers,
    z AS robust_z,
    CAST(peer_median_bytes AS BIGINT) AS peer_median_bytes,
    peer_hosts,
    subnet_id,
    ip(remote) AS top_remote,
    remote_bytes_out,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    lowered_because,
    concat(
        ip(host), ' sent ', human_bytes(bytes_out), ' out; the ', CAST(peer_hosts AS VARCHAR), ' hosts of its subnet ',
        subnet_id,
        ' sent ', human_bytes(peer_median_bytes), ' in the median; ',
        CASE WHEN most THEN 'most went to '
            ELSE concat(human_bytes(remote_bytes_out), ' of it, the largest part, went to ') END,
        ip(remote), CASE WHEN port IS NULL THEN '' ELSE concat(' port ', CAST(port AS VARCHAR)) END,
        CASE WHEN most AND first_contact THEN ', which is new' ELSE '' END, '.',
        CASE WHEN lowered_because IS NULL THEN '' ELSE concat(' Lowered: ', lowered_because, '.') END
    ) AS explanation
FROM aimed
