-- title: Passwords tried against accounts
-- what: failed logins of one identity, or of several from one source, in a day, and whether one succeeded there
-- severity follows: success afterwards, number of accounts, whether anybody used the network before
-- techniques: T1110 T1621
-- about: Mistyped passwords come one or two a day from where somebody always is. Many accounts from one source are
-- about: spraying or stuffing; an office has as many, but they succeed.
-- needs: accesses
-- once: tried
-- parameter min_failures = 5: failed logins in a day of one identity, or of one source with two identities or more
-- parameter many_principals = 8: identities with failures from one source in a day
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH failures AS (
    SELECT
        identity, source, network, log, date_trunc('day', hour) AS day,
        sum(CASE WHEN outcome = 'failure' OR outcome = 'denied' THEN events ELSE 0 END) AS failed,
        sum(CASE WHEN outcome = 'success' THEN events ELSE 0 END) AS succeeded,
        min(CASE WHEN outcome <> 'success' THEN first_seen END) AS first_failure,
        max(CASE WHEN outcome <> 'success' THEN last_seen END) AS last_failure,
        max(CASE WHEN outcome = 'success' THEN last_seen END) AS last_success
    FROM access_hours
    WHERE action_class = 'login' AND identity IS NOT NULL AND source IS NOT NULL
    GROUP BY identity, source, network, log, date_trunc('day', hour)
),
-- By source and day.
sources AS (
    SELECT
        f.source, f.network, f.day,
        sum(f.failed) AS failed,
        count(DISTINCT CASE WHEN f.failed > 0 THEN f.identity END) AS principals,
        count(DISTINCT CASE WHEN f.succeeded > 0 THEN f.identity END) AS entered,
        count(DISTINCT CASE WHEN f.failed >= 2 AND f.last_success > f.first_failure THEN f.identity END) AS got_in,
        min(CASE WHEN f.failed > 0 THEN f.identity END) AS one,
        array_slice(array_agg(DISTINCT f.identity ORDER BY f.identity) FILTER (WHERE f.failed > 0), 1, 5) AS names,
        array_agg(DISTINCT f.log ORDER BY f.log) AS logs,
        min(f.first_failure) AS first_failure, max(f.last_failure) AS last_failure,
        min(i.network_users) AS network_users, max(i.log_days) AS log_days, bool_or(i.is_program) AS has_program
    FROM failures f
    JOIN identity_days i ON i.identity = f.identity AND i.day = f.day
    WHERE i.in_window
    GROUP BY f.source, f.network, f.day
),
tried AS (
    SELECT
        *,
        network_users = 0 AND log_days >= $min_log_days AS strange_network,
        row_number() OVER (PARTITION BY source ORDER BY failed DESC, day) AS nth,
        count(*) OVER (PARTITION BY source) AS days,
        min(first_failure) OVER (PARTITION BY source) AS first_told,
        max(last_failure) OVER (PARTITION BY source) AS last_told
    FROM sources
    -- An office's people mistype: those who get in there outnumber those who do not.
    WHERE failed >= $min_failures AND (principals = 1 OR principals > entered)
        OR principals >= $many_principals AND principals > entered
)
SELECT
    CASE
        WHEN got_in > 0 AND strange_network THEN 'high'
        WHEN principals >= $many_principals THEN 'high'
        WHEN strange_network AND (principals > 1 OR has_program) THEN 'medium'
        WHEN got_in > 0 AND failed >= 2 * $min_failures THEN 'medium'
        WHEN failed >= 4 * $min_failures AND principals = 1 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + ln(1 + CAST(failed AS DOUBLE)) / 10 + principals / 20.0) AS score,
    CAST(NULL AS VARCHAR) AS host,
    address(source) AS remote,
    CASE WHEN principals = 1 OR address(source) IS NULL THEN one END AS principal,
    source, logs, first_told AS first_seen, last_told AS last_seen,
    failed,
    principals,
    names,
    got_in,
    entered,
    days,
    network,
    network_users AS network_identities,
    concat(
        CAST(failed AS VARCHAR), ' logins of ',
        CASE WHEN principals = 1 THEN one ELSE concat(CAST(principals AS VARCHAR), ' accounts') END,
        ' failed in a day from ', source,
        CASE WHEN strange_network THEN ', a network that nobody used before' ELSE '' END,
        CASE WHEN got_in > 0 THEN '; one got in afterwards' ELSE '; none got in' END, '.'
    ) AS explanation
FROM tried
WHERE nth = 1
