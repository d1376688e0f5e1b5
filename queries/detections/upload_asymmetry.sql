-- title: Upload where the host used to download
-- what: a host that suddenly sends several times what it receives
-- severity follows: first contact, volume
-- techniques: T1048 T1041
-- needs: history
-- about: An hour in which a host, as a client, sent several times what it got, against the ratio of out to in of its own
-- about: past hours (median and MAD of the logarithm). It needs no large volume, so it sees what is below the floor of
-- about: bulk uploads. Hosts that always upload have a high ratio of their own and stay out. It is lowered for what holds
-- about: of the remote that got more than half of that hour, or of all that can have got half together.
-- parameter floor_bytes = 50000000: bytes out in an hour; less is never reported
-- parameter high_bytes = 1000000000: bytes out in an hour from which severity may be high
-- parameter min_ratio = 5: bytes out for each byte in, at least
-- parameter min_z = 5: robust z of ln((1 + out) / (1 + in)) above which the ratio is beyond habit
-- parameter min_baseline_hours = 24: hours of history with egress that a ratio needs
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing
-- parameter uploads_only = false: whether a rare remote that sent more than it got took nothing
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
    SELECT u.account_id, u.region, u.host,
        ln((1 + CAST(h.bytes_out AS DOUBLE)) / (1 + CAST(h.bytes_in AS DOUBLE))) AS ln_ratio
    FROM uploads u
    JOIN host_hours h ON h.account_id = u.account_id AND h.region = u.region AND h.host = u.host AND NOT h.in_window
    WHERE u.nth = 1
),
centred AS (
    SELECT *, median(ln_ratio) OVER (PARTITION BY account_id, region, host) AS median_ln FROM past
),
habits AS (
    SELECT account_id, region, host, count(*) AS past_hours, max(median_ln) AS median_ln,
        median(abs(ln_ratio - median_ln)) AS mad_ln
    FROM centred
    GROUP BY account_id, region, host
),
beyond AS (
    SELECT *
    FROM (
        SELECT u.account_id, u.region, u.host, u.hour, u.bytes_out, u.bytes_in, u.remotes, u.top_remote,
            u.top_remote_bytes_out,
            u.ln_ratio, h.past_hours, h.median_ln,
            robust_z(u.ln_ratio, h.median_ln, h.mad_ln) AS z
        FROM uploads u
        JOIN habits h ON h.account_id = u.account_id AND h.region = u.region AND h.host = u.host
        WHERE u.nth = 1 AND h.past_hours >= $min_baseline_hours
    )
    WHERE z >= $min_z
),
-- include: takers
-- If one remote received more than half, the hour is judged by it; otherwise several each received a part.
aimed AS (
    SELECT
        b.*,
        t.remote, t.interface_id,
        2 * b.top_remote_bytes_out > b.bytes_out AS most,
        CASE WHEN t.top_ports = 1 OR t.fits AND 2 * t.max_hour_bytes_out > b.top_remote_bytes_out
            THEN t.port END AS port,
        CASE WHEN t.top_ports = 1 OR t.fits AND 2 * t.max_hour_bytes_out > b.top_remote_bytes_out
            THEN t.protocol END AS protocol,
        CASE WHEN 2 * b.top_remote_bytes_out > b.bytes_out THEN t.prevalence_hosts END AS prevalence_hosts,
        CASE WHEN 2 * b.top_remote_bytes_out > b.bytes_out THEN t.first_contact
            WHEN 2 * t.new_bytes_most < b.bytes_out THEN false END AS first_contact,
        CASE WHEN 2 * b.top_remote_bytes_out > b.bytes_out THEN t.aws_service END AS aws_service,
        CASE
            WHEN 2 * b.top_remote_bytes_out <= b.bytes_out
                THEN CASE WHEN $hosts >= $few_hosts AND 2 * t.rare_bytes_most < b.bytes_out
                    THEN 'most of it went to services or to remotes that many hosts share' END
            WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON')
                THEN concat('the remote is AWS ', t.aws_service)
            WHEN $hosts >= $few_hosts AND t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts))
                THEN 'many hosts share that remote'
        END AS lowered_because
    FROM beyond b
    JOIN takers t ON t.account_id = b.account_id AND t.region = b.region AND t.host = b.host AND t.nth_taker = 1
)
SELECT
    CASE
        WHEN lowered_because IS NOT NULL THEN 'informational'
        WHEN $hosts < $few_hosts THEN 'low'
        WHEN first_contact IS FALSE THEN 'low'
        WHEN bytes_out >= $high_bytes THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.3 + ln(CAST(bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(z, 20) / 100) AS score,
    account_id, region, host,
    CASE WHEN most THEN remote END AS remote,
    CASE WHEN most THEN port END AS port,
    CASE WHEN most THEN protocol END AS protocol,
    'client' AS role, interface_id,
    hour AS first_seen, hour + INTERVAL '1 hour' AS last_seen,
    bytes_out AS bytes_out_hour,
    bytes_in AS bytes_in_hour,
    exp(ln_ratio) AS out_in_ratio,
    exp(median_ln) AS usual_out_in_ratio,
    z AS robust_z,
    past_hours AS baseline_hours,
    CASE WHEN NOT most THEN remotes END AS destinations,
    ip(remote) AS top_remote,
    top_remote_bytes_out,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    lowered_because,
    concat(
        ip(host), ' sent ', human_bytes(bytes_out), ' and got ', human_bytes(bytes_in), ' in one hour, ',
        CAST(round(10 * exp(ln_ratio)) / 10 AS VARCHAR), ' to 1; its usual hour is ',
        CAST(round(100 * exp(median_ln)) / 100 AS VARCHAR),
        CASE WHEN most THEN ' to 1; most went to '
            ELSE concat(' to 1; ', human_bytes(top_remote_bytes_out), ' of it, the largest part, went to ') END,
        ip(remote), CASE WHEN port IS NULL THEN '' ELSE concat(' port ', CAST(port AS VARCHAR)) END,
        CASE WHEN most AND first_contact THEN ', which is new' ELSE '' END, '.',
        CASE WHEN lowered_because IS NULL THEN '' ELSE concat(' Lowered: ', lowered_because, '.') END
    ) AS explanation
FROM aimed
