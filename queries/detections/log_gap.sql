-- title: Flow log fell silent
-- what: the log of an account, region, VPC, subnet or ENI that stops, or pauses, while others go on
-- severity follows: extent, and whether others still hear from its hosts
-- techniques: T1562.008
-- about: The flow log of an account and region, a VPC, a subnet or an ENI that was steady and then has no record for hours:
-- about: a flow log that was deleted, a delivery that was cut, or hosts that were shut down. The log of an ENI counts only
-- about: where other hosts still get answers from its address: whoever is shut down does not answer. Hours in which a log
-- about: has only NODATA or SKIPDATA are no gap, nor is a pause hardly longer than an earlier one, as at night.
-- parameter min_gap_s = 10800: seconds; shorter gaps are not reported: delivery may be late
-- parameter min_hours = 24: hours with records before the gap; with fewer, nothing is known to be steady
-- parameter min_share = 0.5: share of the hours before the gap that have records
-- parameter longer = 2: how many times longer the gap is than any before it
-- parameter min_interfaces = 5: ENIs of a VPC or subnet that stop together; with fewer, only those who still answer tell
-- once: interfaces hours silent
WITH logged AS (
    SELECT
        account_id, region, coalesce(vpc_id, '') AS vpc_id, coalesce(subnet_id, '') AS subnet_id, interface_id,
        CAST(hour AS BIGINT) AS hour_s
    FROM coverage
    WHERE interface_id IS NOT NULL AND records + nodata + skipdata > 0
        AND CAST(hour AS BIGINT) >= $baseline_from_s AND CAST(hour AS BIGINT) < $window_to_s
),
interfaces AS (
    SELECT
        account_id, region, max(vpc_id) AS vpc_id, max(subnet_id) AS subnet_id, interface_id,
        min(hour_s) AS first_s, max(hour_s) + 3600 AS end_s, count(DISTINCT hour_s) AS hours
    FROM logged
    GROUP BY account_id, region, interface_id
),
-- When the logs end as a whole: nobody can tell an end there from a delivery that is still to come.
source_end AS (
    SELECT max(end_s) AS end_s FROM interfaces
),
hours AS (
    SELECT DISTINCT account_id, region, vpc_id, subnet_id, hour_s FROM logged
),
extents AS (
    SELECT DISTINCT 'account and region' AS extent, account_id, region, '' AS vpc_id, '' AS subnet_id, hour_s FROM hours
    UNION ALL
    SELECT DISTINCT 'VPC', account_id, region, vpc_id, '', hour_s FROM hours WHERE vpc_id <> ''
    UNION ALL
    SELECT DISTINCT 'subnet', account_id, region, vpc_id, subnet_id, hour_s FROM hours WHERE subnet_id <> ''
),
-- The end of all logs stands for an hour after the last one of each, so that what stopped has a gap as well.
ended AS (
    SELECT extent, account_id, region, vpc_id, subnet_id, hour_s FROM extents
    UNION ALL
    SELECT DISTINCT e.extent, e.account_id, e.region, e.vpc_id, e.subnet_id, s.end_s FROM extents e CROSS JOIN source_end s
),
steps AS (
    SELECT
        *,
        lag(hour_s) OVER of_extent + 3600 AS gap_from_s,
        hour_s - lag(hour_s) OVER of_extent - 3600 AS gap_s,
        row_number() OVER of_extent - 1 AS hours_before,
        min(hour_s) OVER of_extent AS first_s
    FROM ended
    WINDOW of_extent AS (PARTITION BY extent, account_id, region, vpc_id, subnet_id ORDER BY hour_s)
),
pauses AS (
    SELECT
        *,
        max(gap_s) OVER (
            PARTITION BY extent, account_id, region, vpc_id, subnet_id ORDER BY hour_s
            ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
        ) AS longest_before_s
    FROM steps
),
breaks AS (
    SELECT
        p.extent, p.account_id, p.region, p.vpc_id, p.subnet_id, p.gap_from_s, p.hour_s AS gap_to_s, p.gap_s,
        p.hours_before, coalesce(p.longest_before_s, 0) AS longest_before_s, p.hour_s = s.end_s AS goes_on
    FROM pauses p CROSS JOIN source_end s
    WHERE p.gap_s >= $min_gap_s AND p.hour_s > $window_from_s AND p.hours_before >= $min_hours
        AND p.gap_s >= $longer * coalesce(p.longest_before_s, 0)
        AND p.hours_before * 3600 >= $min_share * (p.gap_from_s - p.first_s)
),
-- Nearly always nothing, which ends the work here.
silent AS (
    SELECT
        extent, account_id, region, vpc_id, subnet_id, '' AS interface_id, gap_from_s, gap_to_s, gap_s,
        CAST(hours_before AS BIGINT) AS hours_before, longest_before_s, goes_on
    FROM breaks
    UNION ALL
    SELECT
        'ENI', i.account_id, i.region, i.vpc_id, i.subnet_id, i.interface_id, i.end_s, s.end_s, s.end_s - i.end_s,
        i.hours, 0, true
    FROM interfaces i CROSS JOIN source_end s
    WHERE s.end_s - i.end_s >= $min_gap_s AND s.end_s > $window_from_s AND i.hours >= $min_hours
        AND i.hours * 3600 >= $min_share * (i.end_s - i.first_s)
),
gaps AS (
    SELECT * FROM silent WHERE extent <> 'ENI'
),
addresses AS (
    SELECT account_id, region, interface_id, host FROM hosts WHERE interface_id IS NOT NULL
),
-- Whoever was busiest stands for an account and region of which no host is left in the window.
busiest AS (
    SELECT account_id, region, first_value(host ORDER BY hours DESC, host) AS host
    FROM (SELECT account_id, region, host, count(*) AS hours FROM host_hours GROUP BY account_id, region, host)
    GROUP BY account_id, region
),
heard AS (
    -- Who answered others, and until when. An address that another ENI has logged since has moved.
    SELECT p.remote AS host, max(CAST(p.last_seen AS BIGINT)) AS heard_s, count(DISTINCT p.host) AS hearers
    FROM pairs p
    WHERE p.remote <> p.host AND p.bytes_in > 0 AND p.bytes_out > 0 AND p.rejected < p.records
        AND p.remote IN (
            SELECT a.host
            FROM addresses a
            JOIN silent s ON s.account_id = a.account_id AND s.region = a.region AND s.interface_id = a.interface_id
        )
    GROUP BY p.remote
),
known AS (
    SELECT
        i.account_id, i.region, i.vpc_id, i.subnet_id, i.interface_id, i.first_s, i.end_s, i.hours,
        first_value(a.host ORDER BY a.host) AS host,
        max(h.heard_s) AS heard_s,
        max(h.hearers) AS hearers,
        max(CAST(own.last_seen AS BIGINT)) AS logged_s
    FROM interfaces i
    LEFT JOIN addresses a ON a.account_id = i.account_id AND a.region = i.region AND a.interface_id = i.interface_id
    LEFT JOIN heard h ON h.host = a.host
    LEFT JOIN (SELECT host, max(last_seen) AS last_seen FROM hosts GROUP BY host) own ON own.host = a.host
    GROUP BY i.account_id, i.region, i.vpc_id, i.subnet_id, i.interface_id, i.first_s, i.end_s, i.hours
),
-- A gap of a VPC or subnet that is one of what holds it is told there.
widest AS (
    SELECT g.*
    FROM gaps g
    LEFT JOIN gaps w ON w.account_id = g.account_id AND w.region = g.region
        AND w.gap_from_s <= g.gap_from_s AND w.gap_to_s >= g.gap_to_s
        AND ((w.extent = 'account and region' AND g.extent <> w.extent)
            OR (w.extent = 'VPC' AND g.extent = 'subnet' AND w.vpc_id = g.vpc_id))
    WHERE w.extent IS NULL
),
of_extents AS (
    SELECT
        w.extent, w.account_id, w.region, w.vpc_id, w.subnet_id, '' AS interface_id,
        w.gap_from_s, w.gap_to_s, w.gap_s, w.goes_on, w.hours_before, w.longest_before_s,
        first_value(k.host ORDER BY k.hours DESC NULLS LAST, k.interface_id) FILTER (WHERE k.host IS NOT NULL) AS host,
        count(DISTINCT k.interface_id) AS interfaces,
        count(DISTINCT CASE WHEN k.heard_s >= w.gap_from_s + 3600 AND k.heard_s <= w.gap_to_s + 3600
            AND coalesce(k.logged_s, 0) < w.gap_from_s + 3600 THEN k.interface_id END) AS heard_interfaces,
        max(CASE WHEN k.heard_s >= w.gap_from_s + 3600 THEN k.heard_s END) AS heard_s
    FROM widest w
    JOIN known k ON k.account_id = w.account_id AND k.region = w.region
        AND (w.vpc_id = '' OR k.vpc_id = w.vpc_id) AND (w.subnet_id = '' OR k.subnet_id = w.subnet_id)
        -- Those who were still there when it began.
        AND k.end_s > w.gap_from_s - 3 * 3600 AND k.first_s < w.gap_from_s
    GROUP BY w.extent, w.account_id, w.region, w.vpc_id, w.subnet_id, w.gap_from_s, w.gap_to_s, w.gap_s, w.goes_on,
        w.hours_before, w.longest_before_s
),
of_interfaces AS (
    SELECT
        s.extent, s.account_id, s.region, s.vpc_id, s.subnet_id, s.interface_id,
        s.gap_from_s, s.gap_to_s, s.gap_s, s.goes_on, s.hours_before, s.longest_before_s,
        k.host, 1 AS interfaces, 1 AS heard_interfaces, k.heard_s
    FROM silent s
    JOIN known k ON k.account_id = s.account_id AND k.region = s.region AND k.interface_id = s.interface_id
    LEFT JOIN widest w ON w.account_id = s.account_id AND w.region = s.region
        AND (w.vpc_id = '' OR w.vpc_id = s.vpc_id) AND (w.subnet_id = '' OR w.subnet_id = s.subnet_id)
        AND w.goes_on AND w.gap_from_s <= s.gap_from_s + 3600
    WHERE s.extent = 'ENI' AND w.extent IS NULL AND k.host IS NOT NULL
        AND k.heard_s >= s.gap_from_s + 3600 AND coalesce(k.logged_s, 0) < s.gap_from_s + 3600
),
found AS (
    SELECT
        e.extent, e.account_id, e.region, e.vpc_id, e.subnet_id, e.interface_id, e.gap_from_s, e.gap_to_s, e.gap_s,
        e.goes_on, e.hours_before, e.longest_before_s, coalesce(e.host, b.host) AS host, e.interfaces,
        e.heard_interfaces, e.heard_s
    FROM of_extents e
    LEFT JOIN busiest b ON b.account_id = e.account_id AND b.region = e.region AND e.extent = 'account and region'
    WHERE coalesce(e.host, b.host) IS NOT NULL
    UNION ALL
    SELECT * FROM of_interfaces
)
SELECT
    CASE
        WHEN extent = 'ENI' THEN 'medium'
        WHEN heard_interfaces > 0 THEN 'high'
        -- It was silent before the window began, and an earlier run could say so.
        WHEN extent = 'account and region'
            THEN CASE WHEN gap_from_s >= $window_from_s - $min_gap_s THEN 'medium' ELSE 'low' END
        ELSE 'informational'
    END AS severity,
    least(1.0, 0.3 + CASE WHEN heard_interfaces > 0 THEN 0.4 ELSE 0.0 END
        + ln(1 + CAST(interfaces AS DOUBLE)) / 20 + least(CAST(gap_s AS DOUBLE) / 86400, 1.0) / 10) AS score,
    account_id, region, host,
    CASE WHEN interface_id <> '' THEN interface_id END AS interface_id,
    to_timestamp_seconds(gap_from_s) AS first_seen, to_timestamp_seconds(gap_to_s) AS last_seen,
    extent,
    CASE WHEN vpc_id <> '' THEN vpc_id END AS vpc,
    CASE WHEN subnet_id <> '' THEN subnet_id END AS subnet,
    gap_s,
    goes_on,
    hours_before AS hours_logged_before,
    longest_before_s AS longest_gap_before_s,
    interfaces,
    heard_interfaces AS interfaces_still_heard,
    concat(
        'The flow log of ',
        CASE extent
            WHEN 'account and region' THEN concat('account ', account_id, ' in ', region)
            WHEN 'VPC' THEN concat('VPC ', vpc_id)
            WHEN 'subnet' THEN concat('subnet ', subnet_id)
            ELSE concat('ENI ', interface_id, ' (', ip(host), ')')
        END,
        CASE WHEN goes_on THEN ' stopped: nothing for ' ELSE ' paused: nothing for ' END, human_duration(gap_s),
        ', after ', CAST(hours_before AS VARCHAR), ' hours with records',
        CASE WHEN extent = 'ENI' THEN ', while other hosts still get answers from it'
            WHEN heard_interfaces > 0
                THEN concat(', while other hosts still get answers from ', CAST(heard_interfaces AS VARCHAR), ' of its ',
                    CAST(interfaces AS VARCHAR), ' ENIs')
            WHEN extent = 'account and region' THEN concat(' of ', CAST(interfaces AS VARCHAR), ' ENIs')
            ELSE concat('; all ', CAST(interfaces AS VARCHAR), ' ENIs, which may have been shut down') END,
        '.'
    ) AS explanation
FROM found
WHERE extent IN ('ENI', 'account and region') OR heard_interfaces > 0 OR interfaces >= $min_interfaces
