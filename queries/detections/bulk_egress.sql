-- title: Bulk upload beyond the host's own habit
-- techniques: T1048 T1041 T1567
-- about: Bytes that a host sent out as a client in one hour, against the median and MAD of the logarithm of its own
-- about: hours (a past exfiltration hardly moves them). With history it is that hour of the week which counts, shrunken
-- about: to the hour of the day and to all hours: a nightly backup is usual at night, and as much at noon is not.
-- about: Servers answering clients do not count. Severity follows the remote that took most in that hour: one that many
-- about: hosts share is a backup or a service, a rare one is not.
-- once: beyond
-- parameter floor_bytes = 250000000: bytes out in an hour; less is never reported
-- parameter min_z = 5: robust z of ln(1 + bytes) above which an hour is beyond habit
-- parameter min_baseline_hours = 6: hours with egress that a habit needs; hosts with fewer are judged by the floor alone
-- parameter min_season_days = 5: days of history at the same hour from which the hour of the day is judged
-- parameter few_hosts = 10: hosts with egress; with fewer, prevalence says nothing and severity ends at medium
-- parameter high_bytes = 1000000000: bytes out in an hour to a rare remote from which severity is high
-- parameter recurring_days = 4: days with the same full hour from which a window without history shows a habit, if they are most
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
    LEFT JOIN host_hours h ON h.account_id = b.account_id AND h.region = b.region AND h.host = b.host AND h.hour = l.hour
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
        -- Two days tell nothing of the hour of the day.
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
            ELSE (baseline_hours < $min_baseline_hours OR z >= $min_z) AND (NOT $has_history OR bytes_out > baseline_p99_bytes)
        END
        WINDOW most AS (PARTITION BY account_id, region, host ORDER BY bytes_out DESC, hour)
    )
    WHERE nth = 1
),
-- Without history a window of days shows what recurs: the same hour of most days, about as full, and little outside of
-- it. Nothing that is known to be new is lowered by that.
tops AS (
    SELECT s.account_id, s.region, s.host, first_value(CAST(h.hour AS BIGINT) ORDER BY h.bytes_out DESC, h.hour) AS top_s, max(h.bytes_out) AS top_bytes
    FROM beyond s
    JOIN host_hours h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host AND h.in_window
    GROUP BY s.account_id, s.region, s.host
),
clocked AS (
    SELECT
        t.account_id, t.region, t.host, t.top_bytes, h.bytes_out,
        -- Days begin twelve hours before that hour.
        (CAST(h.hour AS BIGINT) + 43200 - t.top_s % 86400) / 86400 AS day,
        abs(((CAST(h.hour AS BIGINT) - t.top_s) / 3600 % 24 + 36) % 24 - 12) <= 1 AS at_that_hour
    FROM tops t
    JOIN host_hours h ON h.account_id = t.account_id AND h.region = t.region AND h.host = t.host AND h.in_window
),
recurring AS (
    SELECT
        *,
        days_alike >= $recurring_days AND 10 * days_alike >= 6 * days_seen AND 10 * bytes_alike >= 8 * bytes_seen AS recurs
    FROM (
        SELECT
            account_id, region, host,
            count(DISTINCT day) AS days_seen,
            count(DISTINCT CASE WHEN at_that_hour AND 10 * bytes_out >= 3 * top_bytes THEN day END) AS days_alike,
            sum(bytes_out) AS bytes_seen,
            sum(CASE WHEN at_that_hour THEN bytes_out ELSE 0 END) AS bytes_alike
        FROM clocked
        GROUP BY account_id, region, host
    )
),
-- Only hosts with such an hour are asked where it went: ranking every pair would cost more than all the rest.
takers AS (
    SELECT
        p.*,
        row_number() OVER (
            PARTITION BY p.account_id, p.region, p.host
            -- A remote whose fullest hour is larger than that hour, or that was silent in it, took its share at another time.
            ORDER BY (p.max_hour_bytes_out <= h.bytes_out AND p.first_seen < h.hour + INTERVAL '1 hour' AND p.last_seen >= h.hour) DESC,
                p.max_hour_bytes_out DESC, p.remote, p.port, p.protocol
        ) AS nth
    FROM beyond h
    JOIN pairs p ON p.account_id = h.account_id AND p.region = h.region AND p.host = h.host
    WHERE p.external AND p.role = 'client'
)
SELECT
    CASE
        WHEN t.bytes_out < t.bytes_in THEN 'informational'
        WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN 'low'
        WHEN $hosts < $few_hosts THEN 'medium'
        WHEN t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN 'low'
        -- Without history a busy host's rare remote may be its own supplier: volume must speak for itself.
        WHEN h.bytes_out < $high_bytes THEN CASE WHEN t.first_contact THEN 'medium' ELSE 'low' END
        WHEN t.first_contact IS FALSE THEN 'medium'
        WHEN t.first_contact IS NULL AND r.recurs THEN 'medium'
        ELSE 'high'
    END AS severity,
    least(1.0, 0.5 + ln(CAST(h.bytes_out AS DOUBLE) / $floor_bytes) / 12 + least(h.hour_z, 20) / 100) AS score,
    h.account_id, h.region, h.host, t.remote, t.port, t.protocol, t.role, t.interface_id,
    h.hour AS first_seen, h.hour + INTERVAL '1 hour' AS last_seen,
    h.bytes_out AS bytes_out_hour,
    h.bytes_beyond AS bytes_out,
    h.hours_beyond,
    CASE WHEN h.has_season OR h.baseline_median_ln > 0 THEN CAST(h.bytes_out AS DOUBLE) / greatest(1.0, h.usual_bytes) END AS times_baseline,
    h.hour_z AS robust_z,
    CAST(h.usual_bytes AS BIGINT) AS baseline_median_bytes,
    CASE WHEN h.has_season THEN h.s['samples'] END AS season_days,
    h.baseline_p99_bytes,
    h.baseline_hours,
    r.recurs, r.days_alike, r.days_seen,
    t.bytes_out AS remote_bytes_out,
    t.bytes_in AS remote_bytes_in,
    t.prevalence_hosts,
    t.first_contact,
    network_owner(t.remote) AS network_owner,
    t.aws_service,
    concat(
        ip(h.host), ' sent ', human_bytes(h.bytes_out), ' out in one hour',
        CASE WHEN h.has_season THEN concat(', at this hour it is usually ', human_bytes(h.usual_bytes))
            WHEN h.baseline_hours >= $min_baseline_hours
            THEN concat(', its usual hour is ', human_bytes(h.usual_bytes)) ELSE ', with little history to compare' END,
        '; most of it to ', ip(t.remote), ' port ', CAST(t.port AS VARCHAR),
        CASE WHEN $hosts >= $few_hosts AND t.prevalence_hosts = 1 THEN ', which no other host talks to'
            WHEN $hosts >= $few_hosts THEN concat(', which ', CAST(t.prevalence_hosts AS VARCHAR), ' hosts talk to') ELSE '' END,
        CASE WHEN t.first_contact THEN ' and which is new' ELSE '' END,
        '.',
        CASE WHEN t.first_contact IS NULL AND r.recurs
            THEN concat(' It did so at this hour on ', CAST(r.days_alike AS VARCHAR), ' of ', CAST(r.days_seen AS VARCHAR), ' days.') ELSE '' END,
        CASE WHEN t.bytes_out < t.bytes_in THEN ' Lowered: that remote sent more than it got.'
            WHEN t.aws_service IS NOT NULL AND t.aws_service NOT IN ('EC2', 'AMAZON') THEN concat(' Lowered: the remote is AWS ', t.aws_service, '.')
            WHEN $hosts >= $few_hosts AND t.prevalence_hosts > greatest(2, least($rare_hosts, $rare_share * $hosts)) THEN ' Lowered: many hosts share that remote.' ELSE '' END
    ) AS explanation
FROM beyond h
JOIN recurring r ON r.account_id = h.account_id AND r.region = h.region AND r.host = h.host
JOIN takers t ON t.account_id = h.account_id AND t.region = h.region AND t.host = h.host AND t.nth = 1
