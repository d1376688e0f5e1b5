-- question: Who reached which service for the first time since a day?
-- cost: all logs of accesses (`accesses`): what came before is the history
-- parameter since time: first accesses at or after, such as 24h
-- parameter limit integer = 200: rows at most
-- column identity: who, as one name in all logs
-- column service: the service that was reached
-- column app: the application behind it
-- column first_seen: the first act, UTC
-- column acts: acts
-- column sources: different addresses
-- column known_since: the first act of the same identity anywhere, UTC
WITH reached AS (
    SELECT identity, service, app, min(time) AS first_seen, count(*) AS acts, count(DISTINCT source) AS sources
    FROM accesses
    WHERE identity IS NOT NULL AND outcome IN ('success', 'challenge', 'unknown')
    GROUP BY identity, service, app
),
known AS (
    SELECT *, min(first_seen) OVER (PARTITION BY identity) AS known_since FROM reached
)
SELECT identity, service, app, first_seen, acts, sources, known_since
FROM known
WHERE first_seen >= $since
ORDER BY first_seen, identity, service, app
LIMIT $limit
