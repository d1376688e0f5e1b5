-- question: What did this key do?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter key text: the key or token, or its last four characters
-- parameter from time = 1970-01-01: acts at or after
-- parameter to time = 9999-12-31: acts before
-- parameter limit integer = 200: rows at most
-- column service: the service that was asked
-- column action: what was done
-- column outcome: how it ended
-- column principal: who used the key
-- column source: from where
-- column acts: acts
-- column objects: different objects
-- column first_seen: the first act, UTC
-- column last_seen: the last act, UTC
SELECT service, action, outcome, principal, source, count(*) AS acts, count(DISTINCT object) AS objects,
    min(time) AS first_seen, max(time) AS last_seen
FROM accesses
WHERE credential = right($key, 4) AND time >= $from AND time < $to
GROUP BY service, action, outcome, principal, source
ORDER BY first_seen, service, action, outcome, principal, source
LIMIT $limit
