-- question: Who logged in to the AWS console without a second factor?
-- cost: CloudTrail of the time asked for (`cloudtrail`)
-- parameter from time = 1970-01-01: logins at or after
-- parameter to time = 9999-12-31: logins before
-- column event_time: when, UTC
-- column account_id: the account
-- column identity_type: Root or IAMUser; federated logins always say that no factor was used, and are left out
-- column arn: who
-- column source: from where
-- column user_agent: the browser
-- column outcome: how it ended
SELECT event_time, account_id, identity_type, arn, source, user_agent, outcome
FROM cloudtrail
WHERE event_name = 'ConsoleLogin' AND mfa = false AND identity_type IN ('Root', 'IAMUser') AND event_time >= $from
    AND event_time < $to
ORDER BY event_time, arn
