-- title: Protection of identities lowered
-- what: second factors reset, with the next login, administrators made, identity providers, policies, zones, log streams and API tokens changed, in Okta and in an Atlassian product
-- severity follows: what was changed, whether the actor's day was unusual, own earlier days of doing so
-- techniques: T1556.006 T1098 T1484.002
-- about: A help desk resets factors every day, and administrators change policies: who did so on earlier days is
-- about: informational for the same, unless the day was unusual or whoever lost a factor logs in from a strange network.
-- needs: accesses
-- once: beyond
-- parameter habit_days = 3: days of doing so from which it is a habit
-- parameter min_log_days = 7: days of logs before; with fewer, everybody does it for the first time
WITH acts AS (
    SELECT
        identity, date_trunc('day', hour) AS day,
        CASE
            WHEN action LIKE 'system.idp.%' THEN 'identity provider'
            WHEN action LIKE '%privilege.grant%' OR action LIKE '%role_granted%' THEN 'administrator'
            WHEN action LIKE 'system.log_stream.%' THEN 'log stream'
            WHEN action LIKE 'user.mfa.%' OR action LIKE '%mfa%' THEN 'second factor'
            WHEN action LIKE 'system.api_token.%' OR action LIKE '%tokencreated%' OR action LIKE '%token_created%'
                THEN 'API token'
            WHEN action LIKE 'zone.%' THEN 'network zone'
            WHEN action LIKE 'user.session.impersonation%' THEN 'impersonation'
            ELSE 'policy'
        END AS changed,
        action, events, object, first_seen, last_seen
    FROM access_hours
    WHERE outcome = 'success' AND identity IS NOT NULL
        AND principal_kind NOT IN ('system', 'aws_service', 'anonymous')
        AND (log = 'okta' AND (
                action LIKE 'user.mfa.factor.deactivate%' OR action LIKE 'user.mfa.factor.reset%'
                OR action LIKE '%privilege.grant%' OR action LIKE 'policy.lifecycle.%' OR action LIKE 'policy.rule.%'
                OR action LIKE 'zone.%' OR action LIKE 'system.idp.%' OR action LIKE 'system.log_stream.%'
                OR action LIKE 'system.api_token.create%' OR action LIKE 'user.session.impersonation%')
            OR log = 'atlassian_audit' AND (
                action LIKE '%globalpermissiongranted%' OR action LIKE '%global.permission.added%'
                OR action LIKE '%accesstokencreated%' OR action LIKE '%token_created%' OR action LIKE '%usercredentialupdated%'))
),
acts_by_day AS (
    SELECT
        identity, day, sum(events) AS changes,
        array_agg(DISTINCT changed ORDER BY changed) AS changed,
        array_slice(array_agg(DISTINCT action ORDER BY action), 1, 5) AS actions,
        array_slice(array_agg(DISTINCT object ORDER BY object), 1, 5) AS objects,
        min(object) AS object_changed,
        bool_or(changed IN ('identity provider', 'administrator', 'log stream')) AS grave,
        min(first_seen) AS first_act, max(last_seen) AS last_act
    FROM acts
    GROUP BY identity, day
),
-- include: habit_days
networks AS (
    SELECT network, min(hour) AS since FROM access_hours WHERE network IS NOT NULL GROUP BY network
),
-- Who lost a second factor and logged in within a day: a reset is what a caller with a stolen password asks for.
logins_after AS (
    SELECT
        a.identity, a.day,
        min(l.first_seen) AS next_login,
        first_value(l.source ORDER BY l.first_seen, l.source) AS next_login_source,
        max(CASE WHEN n.since >= date_trunc('day', l.hour) AND t.log_days >= $min_log_days THEN l.source END)
            AS strange_source
    FROM acts a
    JOIN access_hours l ON l.identity = lower(a.object) AND l.action_class = 'login' AND l.outcome = 'success'
        AND l.last_seen >= a.first_seen AND l.first_seen <= a.last_seen + INTERVAL '1 day'
    JOIN identity_days t ON t.identity = l.identity AND t.day = date_trunc('day', l.hour)
    JOIN networks n ON n.network = l.network
    WHERE a.changed = 'second factor' AND a.identity <> lower(a.object)
    GROUP BY a.identity, a.day
),
beyond AS (
    SELECT
        h.*, l.next_login, l.next_login_source, l.strange_source,
        100 * CAST(l.strange_source IS NOT NULL AS INTEGER) + CAST(changes AS DOUBLE) / (1 + earlier_days) + 100 * CAST(is_unusual AS INTEGER)
            + 10 * CAST(grave AS INTEGER) AS weight
    FROM habit_days h
    LEFT JOIN logins_after l ON l.identity = h.identity AND l.day = h.day
),
-- include: worst_days
SELECT
    CASE
        WHEN strange_day OR strange_network OR strange_source IS NOT NULL THEN 'high'
        WHEN is_habit THEN 'informational'
        WHEN grave AND earlier_days = 0 THEN 'high'
        WHEN earlier_days = 0 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + changes / 20.0 + CASE WHEN grave THEN 0.2 ELSE 0.0 END) AS score,
    account_id, host, identity AS principal, credential, source, object_changed AS object, logs,
    first_told AS first_seen, last_told AS last_seen,
    changed, actions, objects, changes,
    earlier_days,
    days,
    network,
    network_users AS network_identities,
    surprisal,
    next_login, next_login_source,
    concat(
        identity, ' changed ', array_to_string(changed, ', '), ' (', array_to_string(actions, ', '), ')',
        CASE WHEN object_changed IS NULL THEN '' ELSE concat(' of ', array_to_string(objects, ', ')) END,
        CASE WHEN earlier_days = 0 THEN '; it never did before'
            ELSE concat('; it did on ', CAST(earlier_days AS VARCHAR), ' earlier days') END,
        CASE WHEN strange_network THEN '; nobody used that network before' ELSE '' END,
        CASE WHEN strange_source IS NULL THEN ''
            ELSE concat('; within a day it was logged in to from ', strange_source, ', where nobody was before') END, '.'
    ) AS explanation
FROM told
