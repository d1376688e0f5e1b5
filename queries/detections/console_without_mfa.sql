-- title: Console login without a second factor
-- what: logins of IAM users and of root to the console of AWS that used no second factor
-- severity follows: root, whether anybody used the network before
-- techniques: T1078.004
-- about: Federated logins always say that no second factor was used, since the identity provider asked for it; they are
-- about: left out.
-- needs: accesses
-- once: beyond
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH logins AS (
    SELECT
        identity, date_trunc('day', hour) AS day, sum(events) AS logins, bool_or(principal_kind = 'root') AS is_root,
        min(account_id) AS of_account, min(source) AS login_source,
        min(first_seen) AS first_act, max(last_seen) AS last_act
    FROM access_hours
    WHERE log = 'cloudtrail' AND action = 'ConsoleLogin' AND outcome = 'success' AND mfa IS FALSE
        AND principal_kind IN ('user', 'root') AND identity IS NOT NULL
    GROUP BY identity, date_trunc('day', hour)
),
beyond AS (
    SELECT
        i.*, l.logins, l.is_root, l.of_account, l.login_source,
        i.network_users = 0 AND i.log_days >= $min_log_days AS strange_network,
        CAST(l.logins AS DOUBLE) + 100 * CAST(i.network_users = 0 AS INTEGER) AS weight
    FROM logins l
    JOIN identity_days i ON i.identity = l.identity AND i.day = l.day
    WHERE i.in_window
),
-- include: worst_days
SELECT
    CASE WHEN is_root OR strange_network THEN 'high' WHEN network_users = 0 THEN 'medium' ELSE 'low' END AS severity,
    CASE WHEN is_root THEN 0.8 ELSE 0.5 END AS score,
    coalesce(account_id, of_account) AS account_id,
    host, identity AS principal, login_source AS source, logs, first_told AS first_seen, last_told AS last_seen,
    logins,
    is_root,
    days,
    network,
    network_users AS network_identities,
    agents,
    concat(
        identity, ' logged in to the console without a second factor from ', login_source,
        CASE WHEN strange_network THEN ', a network that nobody used before' ELSE '' END, '.'
    ) AS explanation
FROM told
