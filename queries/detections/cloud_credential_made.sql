-- title: A key, login or right made in AWS
-- what: access keys, console logins, users, policies and trusts made in IAM by an identity that did not before
-- severity follows: whether the maker's day was unusual, how much was made, own earlier days of doing so
-- techniques: T1098.001 T1136.003 T1098
-- about: How an intruder stays. Automation of IAM does so on many days, which makes it a habit; without history before
-- about: the window a habit can only be seen in the window itself.
-- needs: accesses
-- once: beyond
-- parameter habit_days = 3: days of doing so from which it is a habit
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH acts_by_day AS (
    SELECT
        identity, date_trunc('day', hour) AS day, sum(events) AS made_in_iam,
        array_slice(array_agg(DISTINCT action ORDER BY action), 1, 8) AS actions,
        count(DISTINCT action) AS kinds,
        array_slice(array_agg(DISTINCT object ORDER BY object), 1, 5) AS objects,
        min(object) AS object_made,
        bool_or(action IN ('CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile', 'UpdateAssumeRolePolicy',
            'AttachUserPolicy', 'PutUserPolicy', 'CreatePolicyVersion', 'CreateSAMLProvider',
            'CreateOpenIDConnectProvider', 'CreateTrustAnchor')) AS grave,
        min(first_seen) AS first_act, max(last_seen) AS last_act
    FROM access_hours
    WHERE log = 'cloudtrail' AND outcome = 'success' AND identity IS NOT NULL
        AND (service = 'iam' AND action IN (
                'CreateAccessKey', 'CreateLoginProfile', 'UpdateLoginProfile', 'CreateUser', 'AttachUserPolicy',
                'PutUserPolicy', 'AddUserToGroup', 'UpdateAssumeRolePolicy', 'AttachRolePolicy', 'PutRolePolicy',
                'AttachGroupPolicy', 'PutGroupPolicy', 'CreatePolicyVersion', 'SetDefaultPolicyVersion', 'CreateRole',
                'CreateSAMLProvider', 'CreateOpenIDConnectProvider', 'CreateVirtualMFADevice', 'DeactivateMFADevice')
            OR service = 'rolesanywhere' AND action IN ('CreateTrustAnchor', 'CreateProfile')
            OR service = 'sts' AND action = 'GetFederationToken')
    GROUP BY identity, date_trunc('day', hour)
),
-- include: habit_days
beyond AS (
    SELECT
        *,
        CAST(made_in_iam AS DOUBLE) / (1 + earlier_days) + 100 * CAST(is_unusual AS INTEGER) AS weight
    FROM habit_days
),
-- include: worst_days
SELECT
    CASE
        WHEN strange_day OR strange_network THEN 'high'
        WHEN is_habit THEN 'informational'
        WHEN grave AND earlier_days = 0 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + kinds / 20.0 + ln(1 + CAST(made_in_iam AS DOUBLE)) / 20) AS score,
    account_id, host, identity AS principal, credential, source, object_made AS object, logs,
    first_told AS first_seen, last_told AS last_seen,
    actions, objects,
    made_in_iam AS changes,
    earlier_days,
    days,
    network,
    network_users AS network_identities,
    surprisal,
    log_days,
    concat(
        identity, ' changed who may do what in AWS: ', array_to_string(actions, ', '),
        CASE WHEN object_made IS NULL THEN '' ELSE concat(' (', array_to_string(objects, ', '), ')') END,
        CASE WHEN earlier_days = 0 AND log_days > 0 THEN '; it never did before'
            WHEN earlier_days > 0 THEN concat('; it did on ', CAST(earlier_days AS VARCHAR), ' earlier days')
            ELSE '; there is no history to compare with' END, '.'
    ) AS explanation
FROM told
