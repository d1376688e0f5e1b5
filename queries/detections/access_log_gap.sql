-- title: Log of accesses fell silent
-- what: CloudTrail, Okta, Atlassian or balancer logs, as a whole or of one account and region, that were there and then tell nothing for hours, while other logs go on
-- severity follows: extent, whether the log is silent still or told something in nearly every hour, and whether the silence began in the window
-- techniques: T1562.008
-- about: What `log_gap` tells of flow logs, of the logs beside them: a trail that was stopped, a log stream that was
-- about: removed, a delivery that was cut. Most of them rest at night and on weekends, and in small estates on holidays:
-- about: their silence counts only after two weeks, if it is a day or more and three times as long as any before it, and a
-- about: mere pause of theirs is low. A log that told something in nearly every hour is known after a day.
-- needs: accesses
-- once: hours silent
-- parameter min_gap_s = 21600: seconds; shorter silences are not reported
-- parameter min_gap_of_servers_s = 129600: the same for logs of own servers, which may be shipped once a day
-- parameter min_hours = 24: hours with acts before the silence
-- parameter min_days = 15: days of a log that rests before its silence, so that two weekends are known
-- parameter min_rest_s = 86400: seconds; shorter silences of a log that rests are not reported
-- parameter longer_than_rest = 3: how many times longer the silence of a log that rests is than any before it
-- parameter steady_share = 0.9: share of the hours before it with acts from which a day suffices
-- parameter min_share = 0.5: the same from which the log of one account and region is judged by itself
-- parameter longer = 2: how many times longer the silence is than any before it
WITH logged AS (
    SELECT DISTINCT
        log, coalesce(account_id, '') AS account_id, coalesce(region, '') AS region, CAST(hour AS BIGINT) AS hour_s
    FROM access_hours
    WHERE CAST(hour AS BIGINT) >= $baseline_from_s AND CAST(hour AS BIGINT) < $window_to_s
),
-- When all logs end, those of flows too: nobody can tell an end there from a delivery that is still to come.
source_end AS (
    SELECT max(end_s) AS end_s
    FROM (
        SELECT max(hour_s) + 3600 AS end_s FROM logged
        UNION ALL
        SELECT max(CAST(hour AS BIGINT)) + 3600 FROM coverage WHERE CAST(hour AS BIGINT) < $window_to_s
    )
),
several AS (
    SELECT log FROM logged GROUP BY log HAVING count(DISTINCT concat(account_id, ' ', region)) > 1
),
hours AS (
    SELECT DISTINCT 'log' AS extent, log, '' AS account_id, '' AS region, hour_s FROM logged
    UNION ALL
    SELECT 'account and region', l.log, l.account_id, l.region, l.hour_s
    FROM logged l JOIN several s ON s.log = l.log
),
-- The end of all logs stands for an hour after the last one of each, so that what stopped has a gap as well.
ended AS (
    SELECT extent, log, account_id, region, hour_s FROM hours
    UNION ALL
    SELECT DISTINCT h.extent, h.log, h.account_id, h.region, s.end_s FROM hours h CROSS JOIN source_end s
),
steps AS (
    SELECT
        *,
        lag(hour_s) OVER of_extent + 3600 AS gap_from_s,
        hour_s - lag(hour_s) OVER of_extent - 3600 AS gap_s,
        row_number() OVER of_extent - 1 AS hours_before,
        min(hour_s) OVER of_extent AS first_s
    FROM ended
    WINDOW of_extent AS (PARTITION BY extent, log, account_id, region ORDER BY hour_s)
),
pauses AS (
    SELECT
        *,
        max(gap_s) OVER (
            PARTITION BY extent, log, account_id, region ORDER BY hour_s
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS longest_before_s
    FROM steps
),
silent AS (
    SELECT
        p.extent, p.log, p.account_id, p.region, p.gap_from_s, p.hour_s AS gap_to_s, p.gap_s,
        CAST(p.hours_before AS BIGINT) AS hours_before, coalesce(p.longest_before_s, 0) AS longest_before_s,
        p.share, p.hour_s = s.end_s AS goes_on
    FROM (
        SELECT *, CAST(hours_before AS DOUBLE) * 3600 / (gap_from_s - first_s) AS share
        FROM pauses
        WHERE hours_before >= $min_hours
    ) p
    CROSS JOIN source_end s
    WHERE p.hour_s > $window_from_s AND p.gap_s >= CASE WHEN p.log IN ('atlassian_audit', 'bitbucket_access') THEN $min_gap_of_servers_s ELSE $min_gap_s END
        AND (p.share >= $steady_share AND p.gap_s >= $longer * coalesce(p.longest_before_s, 0)
            OR p.gap_from_s - p.first_s >= $min_days * 86400 AND p.gap_s >= $min_rest_s
                AND p.gap_s >= $longer_than_rest * coalesce(p.longest_before_s, 0))
),
found AS (
    SELECT n.*
    FROM silent n
    LEFT JOIN silent w ON w.extent = 'log' AND n.extent <> 'log' AND w.log = n.log
        AND w.gap_from_s <= n.gap_from_s + 3600 AND w.gap_to_s >= n.gap_to_s
    WHERE w.extent IS NULL AND (n.extent = 'log' OR n.share >= $min_share)
)
SELECT
    CASE
        WHEN extent = 'log' AND gap_from_s >= $window_from_s - $min_gap_s AND (goes_on OR share >= $steady_share)
            THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + CASE WHEN goes_on THEN 0.1 ELSE 0.0 END + least(CAST(gap_s AS DOUBLE) / 86400, 3.0) / 10) AS score,
    CASE WHEN account_id <> '' THEN account_id END AS account_id,
    CASE WHEN region <> '' THEN region END AS region,
    CAST(NULL AS VARCHAR) AS host,
    log AS object,
    log AS object_kind,
    array_agg(DISTINCT log) AS logs,
    to_timestamp_seconds(gap_from_s) AS first_seen, to_timestamp_seconds(gap_to_s) AS last_seen,
    extent,
    gap_s,
    goes_on,
    hours_before AS hours_logged_before,
    longest_before_s AS longest_gap_before_s,
    share AS share_of_hours_before,
    concat(
        'The log ', log,
        CASE WHEN extent = 'log' THEN '' ELSE concat(' of account ', account_id, ' in ', region) END,
        CASE WHEN goes_on THEN ' stopped: nothing for ' ELSE ' paused: nothing for ' END, human_duration(gap_s),
        ', after ', CAST(hours_before AS VARCHAR), ' hours with acts and no silence of more than ',
        human_duration(longest_before_s), '.'
    ) AS explanation
FROM found
GROUP BY extent, log, account_id, region, gap_from_s, gap_to_s, gap_s, goes_on, hours_before, longest_before_s, share
