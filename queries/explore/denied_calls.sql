-- question: Whose calls were denied?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter from time = 1970-01-01: acts at or after
-- parameter to time = 9999-12-31: acts before
-- parameter limit integer = 100: rows at most
-- column principal: who
-- column credential: the last four characters of the key, token or session
-- column denied: acts that were refused
-- column distinct_actions: different actions among them
-- column distinct_services: different services among them
-- column sources: different addresses
-- column first_seen: the first refusal, UTC
-- column last_seen: the last refusal, UTC
SELECT principal, credential, count(*) AS denied, count(DISTINCT concat(service, ' ', action)) AS distinct_actions,
    count(DISTINCT service) AS distinct_services, count(DISTINCT source) AS sources, min(time) AS first_seen,
    max(time) AS last_seen
FROM accesses
WHERE outcome = 'denied' AND time >= $from AND time < $to
GROUP BY principal, credential
ORDER BY distinct_actions DESC, denied DESC, principal, credential
LIMIT $limit
