-- question: Which keys and tokens that last were not used for long?
-- cost: all logs of accesses once (`credentials`)
-- parameter days integer = 60: days without use, up to the last act of any log
-- column credential: the last four characters
-- column credential_kind: what it is
-- column owner: the principal that used it first; NULL for one that was never used
-- column created: when it was made, as lists and logs tell, UTC
-- column last_used: the last use that a log or a list tells, UTC; NULL for never
-- column unused_days: days from then, or from when it was made, to the last act of any log
WITH until AS (
    SELECT max(last_seen) AS last_act FROM access_hours
),
used AS (
    SELECT credential, credential_kind, nullif(owner, '') AS owner, created,
        greatest(coalesce(last_seen, reported_used), coalesce(reported_used, last_seen)) AS last_used
    FROM credentials
)
SELECT credential, credential_kind, owner, created, last_used,
    CAST(floor((date_part('epoch', last_act) - date_part('epoch', coalesce(last_used, created))) / 86400) AS BIGINT)
        AS unused_days
FROM used
CROSS JOIN until
WHERE date_part('epoch', last_act) - date_part('epoch', coalesce(last_used, created)) >= $days * 86400
ORDER BY unused_days DESC, credential, owner
