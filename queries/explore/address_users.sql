-- question: Who used this address?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter address address: where acts came from
-- parameter from time = 1970-01-01: acts at or after
-- parameter to time = 9999-12-31: acts before
-- column log: the log that tells it
-- column principal: who
-- column credential: the last four characters of the key, token or session
-- column agent_family: the client program
-- column acts: acts
-- column denied: acts that were refused
-- column services: different services
-- column first_seen: the first act, UTC
-- column last_seen: the last act, UTC
SELECT log, principal, credential, agent_family, count(*) AS acts, count(*) FILTER (WHERE outcome = 'denied') AS denied,
    count(DISTINCT service) AS services, min(time) AS first_seen, max(time) AS last_seen
FROM accesses
WHERE source_address = $address AND time >= $from AND time < $to
GROUP BY log, principal, credential, agent_family
ORDER BY first_seen, log, principal, credential, agent_family
