-- title: Logs or alarms switched off
-- what: trails stopped, deleted or narrowed, flow logs, detectors and log groups removed, leaving the organisation, audit levels lowered in Atlassian products
-- severity follows: whether it succeeded, own earlier days of doing so
-- techniques: T1562.008 T1562.001
-- about: Rarely done by hand. Accounts that are closed and automation that builds and removes whole environments do so,
-- about: the latter on many days. What a log misses, `log_gap` and `flowsift inspect` tell.
-- needs: accesses
-- once: beyond
-- parameter habit_days = 3: earlier days of doing so from which it is a habit
WITH acts AS (
    SELECT
        identity, date_trunc('day', hour) AS day, sum(events) AS acts,
        sum(CASE WHEN outcome = 'success' THEN events ELSE 0 END) AS done,
        array_slice(array_agg(DISTINCT action ORDER BY action), 1, 5) AS actions,
        array_slice(array_agg(DISTINCT object ORDER BY object), 1, 5) AS objects,
        min(object) AS object_silenced,
        min(account_id) AS of_account,
        min(first_seen) AS first_act, max(last_seen) AS last_act
    FROM access_hours
    WHERE identity IS NOT NULL AND (
        log = 'cloudtrail' AND (
            service = 'cloudtrail' AND action IN ('StopLogging', 'DeleteTrail', 'UpdateTrail', 'PutEventSelectors',
                'DeleteEventDataStore', 'StopEventDataStoreIngestion')
            OR action IN ('DeleteFlowLogs', 'LeaveOrganization')
            OR service = 'guardduty' AND action IN ('DeleteDetector', 'UpdateDetector', 'StopMonitoringMembers',
                'DisassociateFromMasterAccount', 'DisassociateFromAdministratorAccount', 'DeleteMembers',
                'CreateFilter', 'DeletePublishingDestination')
            OR service = 'config' AND action IN ('StopConfigurationRecorder', 'DeleteConfigurationRecorder',
                'DeleteDeliveryChannel')
            OR service = 'securityhub' AND action IN ('DisableSecurityHub', 'DeleteMembers')
            OR service = 'logs' AND action IN ('DeleteLogGroup', 'DeleteLogStream', 'PutRetentionPolicy')
            OR service = 's3' AND action IN ('PutBucketLifecycle', 'PutBucketLifecycleConfiguration')
                AND lower(coalesce(object, '')) LIKE '%trail%'
            OR service = 'route53resolver' AND action = 'DeleteResolverQueryLogConfig'
            OR service = 'wafv2' AND action = 'DeleteLoggingConfiguration')
        OR log = 'atlassian_audit' AND action LIKE '%audit.config.updated%'
        OR log = 'okta' AND action LIKE 'system.log_stream.lifecycle.de%')
    GROUP BY identity, date_trunc('day', hour)
),
counted AS (
    SELECT *, row_number() OVER (PARTITION BY identity ORDER BY day) - 1 AS earlier_days FROM acts
),
beyond AS (
    SELECT
        i.*, c.acts, c.done, c.actions, c.objects, c.object_silenced, c.of_account, c.earlier_days, c.first_act, c.last_act,
        CAST(c.done AS DOUBLE) / (1 + c.earlier_days) AS weight
    FROM counted c
    JOIN identity_days i ON i.identity = c.identity AND i.day = c.day
    WHERE i.in_window
),
-- include: worst_days
SELECT
    CASE
        WHEN earlier_days >= $habit_days AND NOT is_unusual THEN 'low'
        WHEN done > 0 THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.6 + acts / 40.0) AS score,
    coalesce(account_id, of_account) AS account_id,
    host, identity AS principal, credential, source, object_silenced AS object, logs,
    first_act AS first_seen, last_act AS last_seen,
    actions, objects,
    done AS succeeded,
    acts - done AS refused,
    earlier_days,
    days,
    network,
    concat(
        identity, CASE WHEN done > 0 THEN ' switched off or narrowed logs: ' ELSE ' tried to switch off logs: ' END,
        array_to_string(actions, ', '),
        CASE WHEN object_silenced IS NULL THEN '' ELSE concat(' (', array_to_string(objects, ', '), ')') END, '.'
    ) AS explanation
FROM told
