-- title: An account made by somebody who does not make accounts
-- what: users made or put in groups, in Okta, Jira, Confluence, Bitbucket and IAM, by a program's account or by one that never did
-- severity follows: whether the maker's day was unusual, whether it is a program, own earlier days of granting
-- techniques: T1136 T1098.007 T1098
-- about: Administrators and provisioning make accounts; both did before. The first acts of a new administrator from a
-- about: known network are low. Acts of the application itself (provisioning at first login) name no user and do not
-- about: count.
-- needs: accesses
-- once: beyond
-- parameter min_log_days = 7: days of logs before; with fewer, everybody does it for the first time
WITH acts AS (
    SELECT
        identity, date_trunc('day', hour) AS day,
        sum(events) AS grants_made,
        sum(CASE WHEN action_class = 'create_credential' THEN events ELSE 0 END) AS accounts_made,
        min(first_seen) AS first_act, max(last_seen) AS last_act,
        min(app) AS app_made,
        array_slice(array_agg(DISTINCT object ORDER BY object), 1, 5) AS objects,
        min(object) AS object_made
    FROM access_hours
    WHERE outcome = 'success' AND identity IS NOT NULL
        AND principal_kind NOT IN ('system', 'aws_service', 'anonymous')
        AND (log IN ('atlassian_audit', 'okta') AND action_class IN ('create_credential', 'grant')
            AND (lower(action) LIKE '%user%' OR lower(action) LIKE '%group%' OR lower(action) LIKE '%permission%'
                OR lower(action) LIKE '%privilege%')
            AND action NOT LIKE 'user.mfa.%'
            OR log = 'cloudtrail' AND service = 'iam' AND action IN ('CreateUser', 'AddUserToGroup', 'CreateLoginProfile'))
    GROUP BY identity, date_trunc('day', hour)
),
beyond AS (
    SELECT
        i.*, a.grants_made, a.accounts_made, a.first_act, a.last_act, a.app_made, a.objects, a.object_made,
        i.network_users = 0 AND i.log_days >= $min_log_days AS strange_network,
        -- Doing so for the first time is unusual by itself: it takes more.
        i.is_unusual AND (i.new_place OR i.is_program) AS strange_day,
        CAST(a.grants_made AS DOUBLE) + 100 * CAST(i.is_unusual AS INTEGER) AS weight
    FROM acts a
    JOIN identity_days i ON i.identity = a.identity AND i.day = a.day
    WHERE i.in_window AND (i.is_unusual OR i.is_program OR i.powerful_days = 0 AND i.log_days >= $min_log_days)
),
-- include: worst_days
SELECT
    CASE
        WHEN strange_day OR strange_network THEN 'high'
        WHEN is_program AND powerful_days < 3 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.5 + grants_made / 40.0 + CASE WHEN is_program THEN 0.2 ELSE 0.0 END) AS score,
    account_id, host, identity AS principal, credential, source, app_made AS app, object_made AS object, logs,
    first_act AS first_seen, last_act AS last_seen,
    accounts_made, grants_made,
    objects,
    powerful_days AS earlier_days_granting,
    is_program,
    network,
    network_users AS network_identities,
    surprisal,
    days,
    concat(
        identity, CASE WHEN is_program THEN ', a program''s account,' ELSE '' END, ' made ',
        CAST(accounts_made AS VARCHAR), CASE WHEN accounts_made = 1 THEN ' account' ELSE ' accounts' END,
        ' and granted ', CAST(grants_made - accounts_made AS VARCHAR), ' memberships or rights',
        CASE WHEN object_made IS NULL THEN '' ELSE concat(' (', array_to_string(objects, ', '), ')') END,
        CASE WHEN powerful_days = 0 THEN '; it never did before' ELSE '' END,
        CASE WHEN strange_network THEN '; nobody used that network before' ELSE '' END, '.'
    ) AS explanation
FROM told
