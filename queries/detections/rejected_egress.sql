-- title: Spike of rejected egress
-- what: an hour of rejected calls beyond the host's habit
-- severity follows: number of rejected calls
-- techniques: T1071 T1046
-- about: A host's own calls to the outside were rejected far more often in one hour than in its usual hours (median and
-- about: MAD of the logarithm): malware that meets a firewall, a scan, or a rule that someone just tightened.
-- about: Calls to one port of one remote alone are left to `unanswered_calls`.
-- once: spikes
-- parameter min_rejected = 50: rejected records in an hour; fewer are never reported
-- parameter many_rejected = 1000: rejected records in an hour from which severity is medium
-- parameter min_z = 5: robust z of ln(1 + rejected) above which an hour is beyond habit
-- parameter min_baseline_hours = 24: hours of history that a habit needs; without them severity is informational
WITH spikes AS (
    SELECT *
    FROM (
        SELECT
            *,
            row_number() OVER (PARTITION BY account_id, region, host ORDER BY rejected DESC, hour) AS nth,
            count(*) OVER (PARTITION BY account_id, region, host) AS hours_beyond,
            sum(rejected) OVER (PARTITION BY account_id, region, host) AS rejected_beyond
        FROM host_hours
        WHERE in_window AND rejected >= $min_rejected
    )
    WHERE nth = 1
),
-- Only hosts with a spike are compared with their past.
past AS (
    SELECT s.account_id, s.region, s.host, ln(1 + CAST(h.rejected AS DOUBLE)) AS ln_rejected
    FROM spikes s
    JOIN host_hours h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host AND NOT h.in_window
),
centred AS (
    SELECT *, median(ln_rejected) OVER (PARTITION BY account_id, region, host) AS median_ln FROM past
),
habits AS (
    SELECT account_id, region, host, count(*) AS baseline_hours, max(median_ln) AS median_ln,
        median(abs(ln_rejected - median_ln)) AS mad_ln
    FROM centred
    GROUP BY account_id, region, host
),
judged AS (
    SELECT s.*, h.baseline_hours AS habit_hours, h.median_ln,
        robust_z(ln(1 + CAST(s.rejected AS DOUBLE)), h.median_ln, h.mad_ln) AS z
    FROM spikes s
    LEFT JOIN habits h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host
),
-- The remotes in the window; a remote counts once, whatever its ports.
aims AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY account_id, region, host ORDER BY rejected DESC, remote) AS nth_aim,
        count(*) OVER (PARTITION BY account_id, region, host) AS rejecting_remotes,
        sum(rejected) OVER (PARTITION BY account_id, region, host) AS rejected_all
    FROM (
        SELECT
            p.account_id, p.region, p.host, p.remote,
            sum(p.rejected) AS rejected,
            count(*) AS ports,
            bool_and(p.protocol = 6 AND p.rejected >= p.records AND p.rejected >= 30
                AND CAST(p.last_seen AS BIGINT) - CAST(p.first_seen AS BIGINT) >= 300) AS retried,
            min(p.port) AS port,
            min(p.protocol) AS protocol,
            min(p.interface_id) AS interface_id
        FROM pairs p
        JOIN judged j ON j.account_id = p.account_id AND j.region = p.region AND j.host = p.host
        WHERE p.external AND p.role = 'client' AND p.rejected > 0
        GROUP BY p.account_id, p.region, p.host, p.remote
    )
)
SELECT
    CASE
        WHEN coalesce(j.habit_hours, 0) < $min_baseline_hours THEN 'informational'
        WHEN j.rejected >= $many_rejected THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + ln(CAST(j.rejected AS DOUBLE) / $min_rejected) / 12 + least(coalesce(j.z, 0), 20) / 100) AS score,
    j.account_id, j.region, j.host,
    CASE WHEN 10 * a.rejected >= 9 * a.rejected_all THEN a.remote END AS remote,
    CASE WHEN 10 * a.rejected >= 9 * a.rejected_all AND a.ports = 1 THEN a.port END AS port,
    CASE WHEN 10 * a.rejected >= 9 * a.rejected_all AND a.ports = 1 THEN a.protocol END AS protocol,
    'client' AS role, a.interface_id,
    j.hour AS first_seen, j.hour + INTERVAL '1 hour' AS last_seen,
    j.rejected AS rejected_hour,
    j.rejected_beyond AS rejected,
    j.hours_beyond,
    j.z AS robust_z,
    CAST(round(exp(j.median_ln) - 1) AS BIGINT) AS baseline_median_rejected,
    coalesce(j.habit_hours, 0) AS baseline_hours,
    a.rejecting_remotes AS destinations,
    ip(a.remote) AS top_remote,
    concat(
        CAST(j.rejected AS VARCHAR), ' records of calls that ', ip(j.host),
        ' made to the outside were rejected in one hour',
        CASE WHEN j.habit_hours >= $min_baseline_hours
            THEN concat('; in its usual hour it is ', CAST(CAST(round(exp(j.median_ln) - 1) AS BIGINT) AS VARCHAR))
            ELSE '' END,
        CASE WHEN a.rejecting_remotes = 1 THEN '; all went to '
            WHEN 2 * a.rejected > a.rejected_all THEN '; most went to '
            ELSE concat('; the most in the window, ', CAST(a.rejected AS VARCHAR), ' of ',
                CAST(a.rejected_all AS VARCHAR), ', went to ') END,
        ip(a.remote),
        CASE WHEN a.ports = 1 THEN concat(' on ', protocol_name(a.protocol), ' port ', CAST(a.port AS VARCHAR))
            ELSE '' END,
        CASE WHEN a.rejecting_remotes > 1
            THEN concat(', the rest to ', CAST(a.rejecting_remotes - 1 AS VARCHAR), ' more') ELSE '' END, '.',
        CASE WHEN coalesce(j.habit_hours, 0) < $min_baseline_hours THEN ' Lowered: there is little history to compare.'
            ELSE '' END
    ) AS explanation
FROM judged j
JOIN aims a ON a.account_id = j.account_id AND a.region = j.region AND a.host = j.host AND a.nth_aim = 1
WHERE (j.z IS NULL OR j.z >= $min_z OR coalesce(j.habit_hours, 0) < $min_baseline_hours)
    -- Calls to one port of one remote are told by `unanswered_calls`.
    AND NOT (a.retried AND a.ports = 1 AND 10 * a.rejected >= 9 * a.rejected_all)
