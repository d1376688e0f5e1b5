-- title: Denied by Okta
-- what: sign-ons that a policy denies, apps that an identity may not open, the admin console refused, by identity
-- severity follows: admin console, whether the network is new, whether it is a program's account
-- techniques: T1078 T1538
-- about: Policies deny people whose device is not in order, on many days; a program's account is denied nothing.
-- needs: accesses
-- once: beyond
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH denied AS (
    SELECT
        identity, date_trunc('day', hour) AS day,
        sum(events) AS refusals,
        array_agg(DISTINCT action ORDER BY action) AS actions,
        min(app) AS app_refused,
        bool_or(action LIKE '%admin_app%') AS admin_console,
        min(first_seen) AS first_act, max(last_seen) AS last_act
    FROM access_hours
    WHERE log = 'okta' AND identity IS NOT NULL
        AND (outcome = 'denied' OR outcome = 'failure' AND action LIKE '%admin_app%')
    GROUP BY identity, date_trunc('day', hour)
),
beyond AS (
    SELECT
        i.*, d.refusals, d.actions, d.app_refused, d.admin_console,
        i.network_users = 0 AND i.log_days >= $min_log_days AS strange_network,
        CAST(d.refusals AS DOUBLE) + 10 * CAST(i.is_unusual AS INTEGER) AS weight
    FROM denied d
    JOIN identity_days i ON i.identity = d.identity AND i.day = d.day
    WHERE i.in_window
),
-- include: worst_days
SELECT
    CASE
        WHEN admin_console AND (strange_network OR denied_days = 0) THEN 'high'
        WHEN strange_network OR is_unusual AND new_place THEN 'medium'
        WHEN is_program AND denied_days = 0 AND history_days > 0 THEN 'medium'
        WHEN denied_days > 2 THEN 'informational'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + refusals / 20.0 + CASE WHEN strange_network THEN 0.2 ELSE 0.0 END) AS score,
    host, identity AS principal, source, app_refused AS app, make_array('okta') AS logs,
    first_told AS first_seen, last_told AS last_seen,
    refusals,
    actions,
    admin_console,
    denied_days AS earlier_days_denied,
    days,
    network,
    network_users AS network_identities,
    agents,
    is_program,
    concat(
        'Okta refused ', identity, CASE WHEN refusals = 1 THEN ' once' ELSE concat(' ', CAST(refusals AS VARCHAR), ' times') END, ' in a day (', array_to_string(actions, ', '), ')',
        ' from ', source, CASE WHEN strange_network THEN ', a network that nobody used before' ELSE '' END, '.'
    ) AS explanation
FROM told
