-- title: Upload far beyond the pair's history
-- what: an hour's upload of ten times the largest in the pair's history
-- severity follows: prevalence, volume
-- techniques: T1048 T1041
-- needs: history
-- about: An hour in which a host sent a remote that it has known for days many times more than in any hour before. The
-- about: comparison is with this remote alone, so a host that is busy elsewhere hides nothing. Remotes that are shared
-- about: by many hosts, and downloads, are lowered or left out.
-- parameter floor_bytes = 50000000: bytes out in an hour; less is never reported
-- parameter high_bytes = 1000000000: bytes out in an hour from which severity may be high
-- parameter min_times = 10: times the largest hour of the pair's history
-- parameter min_baseline_hours = 24: hours of history in which the pair met; with fewer the largest says little
-- parameter upload_ratio = 2: the window's bytes out are at least so many times the bytes in
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH surges AS (
    SELECT
        *,
        CAST(max_hour_bytes_out AS DOUBLE) / greatest(baseline_max_hour_bytes_out, 1) AS times_history,
        prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) AS rare
    FROM pairs
    WHERE external AND role = 'client' AND max_hour_bytes_out >= $floor_bytes
        AND baseline_hours >= $min_baseline_hours AND baseline_max_hour_bytes_out > 0
        AND max_hour_bytes_out >= $min_times * baseline_max_hour_bytes_out
        AND CAST(bytes_out AS DOUBLE) >= $upload_ratio * CAST(bytes_in AS DOUBLE)
)
SELECT
    CASE
        WHEN aws_service IS NOT NULL AND aws_service NOT IN ('EC2', 'AMAZON') THEN 'informational'
        WHEN $hosts < $few_hosts THEN CASE WHEN max_hour_bytes_out >= $high_bytes THEN 'medium' ELSE 'low' END
        WHEN NOT rare THEN 'informational'
        WHEN max_hour_bytes_out >= $high_bytes THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(max_hour_bytes_out AS DOUBLE) / $floor_bytes) / 12
        + ln(times_history / $min_times) / 40) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    max_hour_bytes_out AS bytes_out_hour,
    bytes_out, bytes_in,
    times_history,
    baseline_max_hour_bytes_out,
    baseline_hours,
    active_hours,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        ip(host), ' sent ', human_bytes(max_hour_bytes_out), ' in one hour to ', ip(remote), ' on ',
        protocol_name(protocol), ' port ',
        CAST(port AS VARCHAR), ', ', CAST(CAST(round(times_history) AS BIGINT) AS VARCHAR),
        ' times the largest of the ',
        CAST(baseline_hours AS VARCHAR), ' hours in which they met before (', human_bytes(baseline_max_hour_bytes_out),
        ')',
        CASE WHEN $hosts >= $few_hosts AND prevalence_hosts = 1 THEN '; no other host talks to it'
            WHEN $hosts >= $few_hosts THEN concat('; ', CAST(prevalence_hosts AS VARCHAR), ' hosts talk to it')
            ELSE '' END, '.',
        CASE WHEN aws_service IS NOT NULL AND aws_service NOT IN ('EC2', 'AMAZON')
            THEN concat(' Lowered: the remote is AWS ', aws_service, '.')
            WHEN $hosts >= $few_hosts AND NOT rare THEN ' Lowered: many hosts share that remote.' ELSE '' END
    ) AS explanation
FROM surges
