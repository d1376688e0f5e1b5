-- title: Upload where the host used to download
-- techniques: T1048 T1041
-- needs: history
-- about: An hour in which a host, as a client, sent several times what it got, against the ratio of out to in of its own
-- about: past hours (median and MAD of the logarithm). It needs no large volume, so it sees what is below the floor of
-- about: bulk uploads. Hosts that always upload have a high ratio of their own and stay out.
-- parameter floor_bytes = 50000000: bytes out in an hour; less is never reported
-- parameter high_bytes = 1000000000: bytes out in an hour from which severity may be high
-- parameter min_ratio = 5: bytes out for each byte in, at least
-- parameter min_z = 5: robust z of ln((1 + out) / (1 + in)) above which the ratio is beyond habit
-- parameter min_baseline_hours = 24: hours of history with egress that a ratio needs
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH uploads AS (
    SELECT
        *,
        ln((1 + CAST(bytes_out AS DOUBLE)) / (1 + CAST(bytes_in AS DOUBLE))) AS ln_ratio,
        row_number() OVER (PARTITION BY account_id, region, host ORDER BY bytes_out DESC, hour) AS nth
    FROM host_hours
    WHERE in_window AND $has_history AND bytes_out >= $floor_bytes AND bytes_out >= $min_ratio * bytes_in
),
-- Only hosts with such an hour are compared with their past.
past AS (
    SELECT u.account_id, u.region, u.host, ln((1 + CAST(h.bytes_out AS DOUBLE)) / (1 + CAST(h.bytes_in AS DOUBLE))) AS ln_ratio
    FROM uploads u
    JOIN host_hours h ON h.account_id = u.account_id AND h.region = u.region AND h.host = u.host AND NOT h.in_window
    WHERE u.nth = 1
),
centred AS (
    SELECT *, median(ln_ratio) OVER (PARTITION BY account_id, region, host) AS median_ln FROM past
),
habits AS (
    SELECT account_id, region, host, count(*) AS past_hours, max(median_ln) AS median_ln, median(abs(ln_ratio - median_ln)) AS mad_ln
    FROM centred
    GROUP BY account_id, region, host
),
beyond AS (
    SELECT u.account_id, u.region, u.host, u.hour, u.bytes_out, u.bytes_in, u.ln_ratio, h.past_hours, h.median_ln,
        robust_z(u.ln_ratio, h.median_ln, h.mad_ln) AS z
    FROM uploads u
    JOIN habits h ON h.account_id = u.account_id AND h.region = u.region AND h.host = u.host
    WHERE u.nth = 1 AND h.past_hours >= $min_baseline_hours
),
takers AS (
    SELECT p.*, row_number() OVER (PARTITION BY p.account_id, p.region, p.host ORDER BY p.max_hour_bytes_out DESC, p.remote, p.port, p.protocol) AS nth_taker
    FROM beyond b
    JOIN pairs p ON p.account_id = b.account_id AND p.region = b.region AND p.host = b.host
    WHERE p.external AND p.role = 'client' AND b.z >= $min_z
)
SELECT
    CASE
        WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN 'informational'
        WHEN $hosts < $few_hosts THEN 'low'
        WHEN t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN 'informational'
        WHEN t.first_contact IS FALSE THEN 'low'
        WHEN b.bytes_out >= $high_bytes THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.3 + ln(CAST(b.bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(b.z, 20) / 100) AS score,
    b.account_id, b.region, b.host, t.remote, t.port, t.protocol, t.role, t.interface_id,
    b.hour AS first_seen, b.hour + INTERVAL '1 hour' AS last_seen,
    b.bytes_out AS bytes_out_hour,
    b.bytes_in AS bytes_in_hour,
    exp(b.ln_ratio) AS out_in_ratio,
    exp(b.median_ln) AS usual_out_in_ratio,
    b.z AS robust_z,
    b.past_hours AS baseline_hours,
    t.bytes_out AS remote_bytes_out,
    t.bytes_in AS remote_bytes_in,
    t.prevalence_hosts,
    t.first_contact,
    network_owner(t.remote) AS network_owner,
    t.aws_service,
    concat(
        ip(b.host), ' sent ', human_bytes(b.bytes_out), ' and got ', human_bytes(b.bytes_in), ' in one hour, ',
        CAST(round(10 * exp(b.ln_ratio)) / 10 AS VARCHAR), ' to 1; its usual hour is ', CAST(round(100 * exp(b.median_ln)) / 100 AS VARCHAR),
        ' to 1; most went to ', ip(t.remote), ' port ', CAST(t.port AS VARCHAR),
        CASE WHEN t.first_contact THEN ', which is new' ELSE '' END, '.',
        CASE WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN concat(' Lowered: the remote is AWS ', t.aws_service, '.')
            WHEN $hosts >= $few_hosts AND t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN ' Lowered: many hosts share that remote.'
            ELSE '' END
    ) AS explanation
FROM beyond b
JOIN takers t ON t.account_id = b.account_id AND t.region = b.region AND t.host = b.host AND t.nth_taker = 1
WHERE b.z >= $min_z
