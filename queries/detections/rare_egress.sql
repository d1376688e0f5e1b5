-- title: Upload to rare remotes
-- techniques: T1048 T1041 T1030
-- about: The sum of what a host sent, as a client, to remotes that hardly any host talks to or that are new. The sum
-- about: is what counts, so neither splitting over many addresses nor a slow drip hides it. Only remotes that got
-- about: more than they sent are added: downloads are no exfiltration.
-- parameter floor_bytes = 100000000: bytes to rare remotes in the window; less is never reported
-- parameter high_bytes = 1000000000: bytes from which severity is high
-- parameter drip_hours = 8: hours; a remote fed evenly over at least so many is a drip, high from floor_bytes on
-- parameter drip_evenness = 3: the fullest hour of a drip holds at most so many times its mean hour
-- parameter upload_ratio = 2: a remote counts when it got at least so many times the bytes it sent
-- parameter few_hosts = 10: hosts with egress; with fewer there is nobody to compare with, and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH rare AS (
    SELECT
        *,
        active_hours >= $drip_hours AND bytes_out >= $floor_bytes AND prevalence_hosts <= 2
            AND max_hour_bytes_out * active_hours <= $drip_evenness * bytes_out AS drip
    FROM pairs
    WHERE external AND role = 'client'
        AND (prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) OR first_contact)
        AND bytes_out >= $upload_ratio * bytes_in
        AND (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON'))
),
ranked AS (
    SELECT *, row_number() OVER (PARTITION BY account_id, host ORDER BY bytes_out DESC, remote, port) AS nth FROM rare
),
sums AS (
    SELECT
        account_id, region, host,
        sum(bytes_out) AS bytes_out,
        sum(bytes_in) AS bytes_in,
        count(DISTINCT remote) AS remotes,
        max(bytes_out) AS top_bytes_out,
        max(active_hours) AS active_hours,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen,
        bool_or(first_contact) AS any_first,
        bool_or(drip) AS drip
    FROM rare
    GROUP BY account_id, region, host
),
-- Most hosts send nothing to rare remotes, so those that do are each other's measure.
centre AS (
    SELECT median(ln(1 + CAST(bytes_out AS DOUBLE))) AS median_ln FROM sums
),
spread AS (
    SELECT max(c.median_ln) AS median_ln, median(abs(ln(1 + CAST(s.bytes_out AS DOUBLE)) - c.median_ln)) AS mad_ln
    FROM sums s CROSS JOIN centre c
),
scored AS (
    SELECT s.*, robust_z(ln(1 + CAST(s.bytes_out AS DOUBLE)), c.median_ln, c.mad_ln) AS z, exp(c.median_ln) - 1 AS peer_median_bytes
    FROM sums s CROSS JOIN spread c
    WHERE s.bytes_out >= $floor_bytes
),
tops AS (
    SELECT account_id, host, array_agg(ip(remote) ORDER BY nth) AS top_remotes FROM ranked WHERE nth <= 5 GROUP BY account_id, host
)
SELECT
    CASE
        WHEN $hosts < $few_hosts THEN CASE WHEN s.bytes_out >= $high_bytes OR s.drip THEN 'medium' ELSE 'low' END
        WHEN s.bytes_out >= $high_bytes OR s.drip THEN CASE WHEN s.any_first IS FALSE THEN 'medium' ELSE 'high' END
        WHEN s.any_first THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(s.bytes_out AS DOUBLE) / $floor_bytes) / 10 + least(greatest(s.z, 0), 20) / 50) AS score,
    s.account_id, s.region, s.host,
    CASE WHEN 10 * s.top_bytes_out >= 9 * s.bytes_out THEN r.remote END AS remote,
    CASE WHEN 10 * s.top_bytes_out >= 9 * s.bytes_out THEN r.port END AS port,
    CASE WHEN 10 * s.top_bytes_out >= 9 * s.bytes_out THEN r.protocol END AS protocol,
    'client' AS role,
    r.interface_id,
    s.first_seen, s.last_seen,
    s.bytes_out, s.bytes_in, s.remotes AS destinations, s.active_hours, s.drip,
    s.z AS robust_z,
    CAST(s.peer_median_bytes AS BIGINT) AS peer_median_bytes,
    t.top_remotes,
    r.prevalence_hosts,
    s.any_first AS first_contact,
    network_owner(r.remote) AS network_owner,
    concat(
        ip(s.host), ' sent ', human_bytes(s.bytes_out), ' to ', CAST(s.remotes AS VARCHAR),
        CASE WHEN s.remotes = 1 THEN ' rare remote' ELSE ' rare remotes' END,
        ' and got ', human_bytes(s.bytes_in), ' back; most went to ', ip(r.remote), ' port ', CAST(r.port AS VARCHAR),
        CASE WHEN $hosts >= $few_hosts THEN concat('; hosts that use such remotes sent ', human_bytes(s.peer_median_bytes), ' in the median') ELSE '' END,
        CASE WHEN s.drip THEN concat('; it flows evenly over ', CAST(s.active_hours AS VARCHAR), ' hours') ELSE '' END, '.'
    ) AS explanation
FROM scored s
JOIN ranked r ON r.account_id = s.account_id AND r.host = s.host AND r.nth = 1
JOIN tops t ON t.account_id = s.account_id AND t.host = s.host
