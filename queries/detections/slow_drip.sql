-- title: Slow drip to rare remotes
-- what: daily bytes to rare remotes that rise for days (CUSUM); needs eight days
-- severity follows: volume
-- techniques: T1030 T1048 T1029
-- needs: days
-- about: What a host uploads a day to remotes that hardly any host talks to has risen for days, though no single day is
-- about: remarkable: CUSUM of the logarithm of its daily bytes against the median and MAD of its first days. A past
-- about: exfiltration in those days does not hide it. Needs eight days of baseline and window.
-- parameter alarm = 8: CUSUM, in robust standard deviations; four days of the strongest kind reach it
-- parameter unit_bytes = 1000000: bytes; days with fewer count as next to nothing
-- parameter floor_bytes = 100000000: bytes over the days of the rise; less is never reported
-- parameter high_bytes = 1000000000: bytes over the days of the rise from which severity may be high
-- parameter few_hosts = 10: hosts with egress; with fewer there is nobody to compare with, and severity ends at medium
WITH series AS (
    SELECT
        account_id, region, host,
        array_agg(ln(1 + CAST(rare_bytes_out AS DOUBLE) / $unit_bytes) ORDER BY day) AS levels,
        count(*) AS days,
        sum(CASE WHEN in_window THEN 1 ELSE 0 END) AS judged_days,
        sum(rare_bytes_out) AS all_bytes
    FROM host_days
    GROUP BY account_id, region, host
),
rises AS (
    SELECT *, daily_drift(levels, CASE WHEN $has_history THEN days - judged_days ELSE 0 END, 0.3) AS d
    FROM series
    -- Most hosts upload nothing to rare remotes.
    WHERE all_bytes >= $floor_bytes AND judged_days > 0
),
alarms AS (
    SELECT account_id, region, host, days, d['statistic'] AS statistic, d['usual'] AS usual, d['from'] AS from_day,
        d['to'] AS to_day
    FROM rises
    WHERE d['statistic'] >= $alarm
),
numbered AS (
    SELECT *, row_number() OVER (PARTITION BY account_id, region, host ORDER BY day) - 1 AS at FROM host_days
),
drips AS (
    SELECT
        a.account_id, a.region, a.host, a.days, a.statistic, a.usual,
        count(*) AS drift_days,
        sum(n.rare_bytes_out) AS bytes_out,
        max(n.rare_bytes_out) AS max_day_bytes_out,
        max(n.rare_remotes) AS max_day_remotes,
        min(n.day) AS first_day,
        max(n.day) AS last_day,
        max(n.interface_id) AS interface_id,
        last_value(n.top_remote ORDER BY n.day) AS top_remote,
        min(n.top_remote) = max(n.top_remote) AND bool_and(2 * n.top_bytes_out > n.rare_bytes_out) AS one_remote
    FROM alarms a
    JOIN numbered n ON n.account_id = a.account_id AND n.region = a.region AND n.host = a.host
        AND n.at BETWEEN a.from_day AND a.to_day
    GROUP BY a.account_id, a.region, a.host, a.days, a.statistic, a.usual
)
SELECT
    CASE
        WHEN $hosts < $few_hosts THEN CASE WHEN bytes_out >= $high_bytes THEN 'medium' ELSE 'low' END
        WHEN bytes_out >= $high_bytes THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.5 + ln(CAST(bytes_out AS DOUBLE) / $floor_bytes) / 10 + least(statistic, 40) / 200) AS score,
    account_id, region, host,
    CASE WHEN one_remote THEN top_remote END AS remote,
    'client' AS role, interface_id, first_day AS first_seen, last_day + INTERVAL '1 day' AS last_seen,
    statistic AS cusum,
    drift_days,
    bytes_out,
    CAST(bytes_out / drift_days AS BIGINT) AS bytes_out_per_day,
    max_day_bytes_out,
    CAST(round((exp(usual) - 1) * $unit_bytes) AS BIGINT) AS usual_bytes_per_day,
    max_day_remotes,
    days AS days_known,
    ip(top_remote) AS top_remote,
    network_owner(top_remote) AS network_owner,
    concat(
        ip(host), ' sent ', human_bytes(bytes_out), ' to remotes that hardly any host talks to over ',
        CAST(drift_days AS VARCHAR),
        ' days, ', human_bytes(bytes_out / drift_days), ' a day against ',
        human_bytes((exp(usual) - 1) * $unit_bytes), ' usually',
        CASE WHEN one_remote THEN concat('; each day most of it went to ', ip(top_remote))
            ELSE concat('; last to ', ip(top_remote)) END,
        '.'
    ) AS explanation
FROM drips
WHERE bytes_out >= $floor_bytes
