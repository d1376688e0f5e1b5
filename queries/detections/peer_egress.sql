-- title: Upload beyond the peers
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
takers AS (
    SELECT p.*, row_number() OVER (PARTITION BY p.account_id, p.region, p.host ORDER BY p.bytes_out DESC, p.remote, p.port, p.protocol) AS nth
    FROM outliers o
    JOIN pairs p ON p.account_id = o.account_id AND p.region = o.region AND p.host = o.host
    WHERE p.external AND p.role = 'client' AND o.z >= $min_z
)
SELECT
    CASE
        WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN 'informational'
        WHEN t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN 'informational'
        WHEN t.first_contact IS FALSE THEN 'informational'
        WHEN t.first_contact AND o.bytes_out >= $high_bytes THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + ln(CAST(o.bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(o.z, 20) / 100) AS score,
    o.account_id, o.region, o.host, t.remote, t.port, t.protocol, t.role, o.interface_id, o.first_seen, o.last_seen,
    o.bytes_out, o.bytes_in,
    CAST(o.bytes_out AS DOUBLE) / greatest(1.0, o.peer_median_bytes) AS times_peers,
    o.z AS robust_z,
    CAST(o.peer_median_bytes AS BIGINT) AS peer_median_bytes,
    o.peer_hosts,
    o.subnet_id,
    t.bytes_out AS remote_bytes_out,
    t.prevalence_hosts,
    t.first_contact,
    network_owner(t.remote) AS network_owner,
    t.aws_service,
    concat(
        ip(o.host), ' sent ', human_bytes(o.bytes_out), ' out; the ', CAST(o.peer_hosts AS VARCHAR), ' hosts of its subnet ', o.subnet_id,
        ' sent ', human_bytes(o.peer_median_bytes), ' in the median; most went to ', ip(t.remote), ' port ', CAST(t.port AS VARCHAR),
        CASE WHEN t.first_contact THEN ', which is new' ELSE '' END, '.',
        CASE WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN concat(' Lowered: the remote is AWS ', t.aws_service, '.')
            WHEN t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN ' Lowered: many hosts share that remote.' ELSE '' END
    ) AS explanation
FROM outliers o
JOIN takers t ON t.account_id = o.account_id AND t.region = o.region AND t.host = o.host AND t.nth = 1
WHERE o.z >= $min_z
