-- title: Bulk upload beyond the host's own habit
-- what: an hour's upload beyond a floor and the host's own habit at that hour of the week (median and MAD of log bytes, shrunken to wider levels)
-- severity follows: prevalence of the remote, first contact, volume
-- techniques: T1048 T1041 T1567
-- about: Bytes that a host sent out as a client in one hour, against the median and MAD of the logarithm of its own
-- about: hours (a past exfiltration hardly moves them). With history it is that hour of the week which counts, shrunken
-- about: to the hour of the day and to all hours: a nightly backup is usual at night, and as much at noon is not.
-- about: Servers answering clients do not count. Severity follows the remote that took more than half of that hour: one
-- about: that many hosts share is a backup or a service, a rare one is not. Where none took as much it is lowered only if
-- about: rare remotes cannot have taken half together.
-- once: beyond
-- parameter floor_bytes = 250000000: bytes out in an hour; less is never reported
-- parameter min_z = 5: robust z of ln(1 + bytes) above which an hour is beyond habit
-- parameter min_baseline_hours = 6: hours with egress that a habit needs; hosts with fewer are judged by the floor alone
-- parameter min_season_days = 5: days of history at the same hour from which the hour of the day is judged
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter high_bytes = 1000000000: bytes out in an hour to a rare remote from which severity is high
-- parameter recurring_days = 4: days with the same full hour from which a window without history shows a habit, if they are most
-- parameter uploads_only = true: whether a rare remote that sent more than it got took nothing
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH hours AS (
    SELECT
        *,
        robust_z(ln(1 + CAST(bytes_out AS DOUBLE)), baseline_median_ln, baseline_mad_ln) AS z
    FROM host_hours
    WHERE in_window AND bytes_out >= $floor_bytes
),
suspects AS (
    SELECT account_id, region, host, max(bytes_out) AS most FROM hours GROUP BY account_id, region, host
),
-- The past of those hosts, with a zero for each hour in which others were logged and the host sent nothing.
born AS (
    SELECT h.account_id, h.region, h.host, min(h.hour) AS first_hour
    FROM suspects s
    JOIN host_hours h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host
    GROUP BY h.account_id, h.region, h.host
),
logged AS (
    SELECT DISTINCT account_id, region, hour FROM host_hours WHERE NOT in_window
),
past AS (
    SELECT
        b.account_id, b.region, b.host,
        array_agg(CAST(l.hour AS BIGINT) ORDER BY l.hour) AS hours,
        array_agg(ln(1 + CAST(coalesce(h.bytes_out, 0) AS DOUBLE)) ORDER BY l.hour) AS levels
    FROM born b
    JOIN logged l ON l.account_id = b.account_id AND l.region = b.region AND l.hour >= b.first_hour
    LEFT JOIN host_hours h ON h.account_id = b.account_id AND h.region = b.region AND h.host = b.host
        AND h.hour = l.hour
    GROUP BY b.account_id, b.region, b.host
),
seasons AS (
    SELECT h.*, seasonal_habit(p.hours, p.levels, CAST(h.hour AS BIGINT)) AS s
    FROM hours h
    LEFT JOIN past p ON p.account_id = h.account_id AND p.region = h.region AND p.host = h.host
),
judged AS (
    SELECT
        *,
        robust_z(ln(1 + CAST(bytes_out AS DOUBLE)), s['centre'], s['spread']) AS season_z,
        -- Two days do not show a habit at an hour of the day.
        coalesce(s['samples'], 0) >= $min_season_days AS has_season
    FROM seasons
),
-- The fullest of the hours beyond habit of each host.
beyond AS (
    SELECT *
    FROM (
        SELECT
            *,
            exp(CASE WHEN has_season THEN s['centre'] ELSE baseline_median_ln END) - 1 AS usual_bytes,
            CASE WHEN has_season THEN season_z ELSE z END AS hour_z,
            row_number() OVER most AS nth,
            count(*) OVER (PARTITION BY account_id, region, host) AS hours_beyond,
            sum(bytes_out) OVER (PARTITION BY account_id, region, host) AS bytes_beyond
        FROM judged
        WHERE CASE
            WHEN has_season THEN season_z >= $min_z
            ELSE (baseline_hours < $min_baseline_hours OR z >= $min_z)
                AND (NOT $has_history OR bytes_out > baseline_p99_bytes)
        END
        WINDOW most AS (PARTITION BY account_id, region, host ORDER BY bytes_out DESC, hour)
    )
    WHERE nth = 1
),
-- include: recurring
-- include: takers
-- If one remote received more than half, the hour is judged by it; otherwise several each received a part.
aimed AS (
    SELECT
        h.*,
        r.recurs, r.days_alike, r.days_seen,
        t.remote, t.interface_id,
        2 * h.top_remote_bytes_out > h.bytes_out AS most,
        CASE WHEN t.top_ports = 1 OR t.fits AND 2 * t.max_hour_bytes_out > h.top_remote_bytes_out
            THEN t.port END AS port,
        CASE WHEN t.top_ports = 1 OR t.fits AND 2 * t.max_hour_bytes_out > h.top_remote_bytes_out
            THEN t.protocol END AS protocol,
        CASE WHEN 2 * h.top_remote_bytes_out > h.bytes_out THEN t.prevalence_hosts END AS prevalence_hosts,
        CASE WHEN 2 * h.top_remote_bytes_out > h.bytes_out THEN t.first_contact
            WHEN t.first_contact IS NOT NULL THEN coalesce(t.any_first, false) END AS first_contact,
        CASE WHEN 2 * h.top_remote_bytes_out > h.bytes_out THEN t.aws_service END AS aws_service,
        CASE
            WHEN 2 * h.top_remote_bytes_out <= h.bytes_out
                THEN CASE WHEN 2 * t.rare_bytes_most < h.bytes_out
                    THEN 'most of it went to services, to remotes that many hosts share or that sent more' END
            WHEN h.top_remote_bytes_out < h.top_remote_bytes_in THEN 'that remote sent more than it got'
            WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON')
                THEN concat('the remote is AWS ', t.aws_service)
            WHEN $hosts >= $few_hosts AND t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts))
                THEN 'many hosts share that remote'
        END AS lowered_because
    FROM beyond h
    JOIN recurring r ON r.account_id = h.account_id AND r.region = h.region AND r.host = h.host
    JOIN takers t ON t.account_id = h.account_id AND t.region = h.region AND t.host = h.host AND t.nth_taker = 1
)
SELECT
    CASE
        WHEN most AND top_remote_bytes_out < top_remote_bytes_in THEN 'informational'
        WHEN lowered_because IS NOT NULL THEN 'low'
        WHEN $hosts < $few_hosts THEN 'medium'
        -- Without history a busy host's rare remote may be its own supplier: volume must speak for itself.
        WHEN bytes_out < $high_bytes THEN CASE WHEN first_contact THEN 'medium' ELSE 'low' END
        WHEN first_contact IS FALSE THEN 'medium'
        WHEN first_contact IS NULL AND recurs THEN 'medium'
        ELSE 'high'
    END AS severity,
    least(1.0, 0.5 + ln(CAST(bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(hour_z, 20) / 100) AS score,
    account_id, region, host,
    CASE WHEN most THEN remote END AS remote,
    CASE WHEN most THEN port END AS port,
    CASE WHEN most THEN protocol END AS protocol,
    'client' AS role, interface_id,
    hour AS first_seen, hour + INTERVAL '1 hour' AS last_seen,
    bytes_out AS bytes_out_hour,
    bytes_beyond AS bytes_out,
    hours_beyond,
    CASE WHEN has_season OR baseline_median_ln > 0
        THEN CAST(bytes_out AS DOUBLE) / greatest(1.0, usual_bytes) END AS times_baseline,
    hour_z AS robust_z,
    CAST(usual_bytes AS BIGINT) AS baseline_median_bytes,
    CASE WHEN has_season THEN s['samples'] END AS season_days,
    baseline_p99_bytes,
    baseline_hours,
    recurs, days_alike, days_seen,
    CASE WHEN NOT most THEN remotes END AS destinations,
    ip(remote) AS top_remote,
    top_remote_bytes_out,
    top_remote_bytes_in,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    lowered_because,
    concat(
        ip(host), ' sent ', human_bytes(bytes_out), ' out in one hour',
        CASE WHEN has_season THEN concat(', at this hour it is usually ', human_bytes(usual_bytes))
            WHEN baseline_hours >= $min_baseline_hours
            THEN concat(', its usual hour is ', human_bytes(usual_bytes)) ELSE ', with little history to compare' END,
        CASE WHEN most THEN '; most of it to '
            ELSE concat('; ', human_bytes(top_remote_bytes_out), ' of it, the largest part, to ') END,
        ip(remote), CASE WHEN port IS NULL THEN '' ELSE concat(' port ', CAST(port AS VARCHAR)) END,
        CASE WHEN $hosts >= $few_hosts AND prevalence_hosts = 1 THEN ', which no other host talks to'
            WHEN $hosts >= $few_hosts AND most
                THEN concat(', which ', CAST(prevalence_hosts AS VARCHAR), ' hosts talk to') ELSE '' END,
        CASE WHEN most AND first_contact THEN ' and which is new'
            WHEN first_contact THEN '; some of it went to new remotes' ELSE '' END,
        '.',
        CASE WHEN first_contact IS NULL AND recurs
            THEN concat(' It did so at this hour on ', CAST(days_alike AS VARCHAR), ' of ', CAST(days_seen AS VARCHAR),
                ' days.') ELSE '' END,
        CASE WHEN lowered_because IS NULL THEN '' ELSE concat(' Lowered: ', lowered_because, '.') END
    ) AS explanation
FROM aimed
