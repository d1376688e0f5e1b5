-- question: Who gave rights, made keys and users, or changed how logs are written?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter from time = 1970-01-01: acts at or after
-- parameter to time = 9999-12-31: acts before
-- parameter limit integer = 200: rows at most
-- column time: when, UTC
-- column log: the log that tells it
-- column principal: who did it
-- column source: from where
-- column service: the service
-- column action: what was done
-- column action_class: grant, create_credential or admin
-- column object_kind: what kind of thing it was done to
-- column object: whom or what it was done to
-- column outcome: how it ended
SELECT time, log, principal, source, service, action, action_class, object_kind, object, outcome
FROM accesses
WHERE action_class IN ('grant', 'create_credential', 'admin') AND principal_kind <> 'aws_service'
    AND NOT (service = 'sts' AND action_class = 'create_credential') AND time >= $from AND time < $to
ORDER BY time, log, principal, action, object
LIMIT $limit
