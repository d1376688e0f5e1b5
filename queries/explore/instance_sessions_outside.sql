-- question: Which instances' credentials were used from several addresses?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter from time = 1970-01-01: acts at or after
-- parameter to time = 9999-12-31: acts before
-- column session: the instance
-- column principal: its role's session
-- column source_address: an address that its credentials were used from
-- column acts: acts from there
-- column share: share of this address in all acts of the instance, 0–1
-- column actions: different actions from there
-- column first_seen: the first act from there, UTC
-- column last_seen: the last act from there, UTC
WITH used AS (
    SELECT session, principal, source_address, count(*) AS acts, count(DISTINCT concat(service, ' ', action)) AS actions,
        min(time) AS first_seen, max(time) AS last_seen
    FROM accesses
    WHERE log = 'cloudtrail' AND principal_kind = 'instance' AND source_address IS NOT NULL AND time >= $from
        AND time < $to
    GROUP BY session, principal, source_address
),
shares AS (
    SELECT *, acts * 1.0 / sum(acts) OVER (PARTITION BY principal) AS share, count(*) OVER (PARTITION BY principal) AS places
    FROM used
)
SELECT session, principal, source_address, acts, share, actions, first_seen, last_seen
FROM shares
WHERE places > 1
ORDER BY share, session, principal, source_address
