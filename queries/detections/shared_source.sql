-- title: One source with many principals
-- what: several identities first seen from one network, which none of them and nobody else used, within a day: their surprisals together
-- severity follows: number of identities, sum of surprisals, success
-- techniques: T1078 T1539
-- about: A file of stolen credentials or sessions looks like this: each is used a little, from one place. A new office
-- about: looks like this as well, but brings no programs' accounts and no failures.
-- needs: accesses
-- once: pooled
-- parameter min_identities = 3: identities in a day
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
-- parameter high_surprisal = 30: nats of all together
WITH strangers AS (
    SELECT
        network, day, source, identity, surprisal, is_program, failed, denied, succeeded, first_seen, last_seen, logs
    FROM identity_days
    WHERE in_window AND log_days >= $min_log_days AND network_users = 0 AND network IS NOT NULL
        AND (new_network OR is_newcomer)
),
pooled AS (
    SELECT
        network, day,
        count(*) AS identities,
        sum(surprisal) AS surprisal,
        min(source) AS source,
        count(DISTINCT source) AS sources,
        array_slice(array_agg(identity ORDER BY surprisal DESC, identity), 1, 5) AS names,
        array_sort(array_distinct(flatten(array_agg(logs)))) AS logs,
        sum(CASE WHEN is_program THEN 1 ELSE 0 END) AS programs,
        sum(failed + denied) AS refused, sum(succeeded) AS succeeded,
        min(first_seen) AS first_seen, max(last_seen) AS last_seen
    FROM strangers
    GROUP BY network, day
    HAVING count(*) >= $min_identities
)
SELECT
    CASE
        WHEN surprisal >= $high_surprisal AND (programs > 0 OR refused > 0) THEN 'high'
        WHEN programs > 0 OR refused > 0 OR surprisal >= $high_surprisal THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.3 + surprisal / 120) AS score,
    CAST(NULL AS VARCHAR) AS host,
    address(source) AS remote,
    CASE WHEN address(source) IS NULL THEN network END AS principal,
    network AS object_kind,
    source, logs, first_seen, last_seen,
    identities, names, surprisal, programs, refused, succeeded, sources, network,
    concat(
        CAST(identities AS VARCHAR), ' identities came on one day from ', network,
        ', which none of them and nobody else used before (', array_to_string(names, ', '), ').'
    ) AS explanation
FROM (SELECT *, row_number() OVER (PARTITION BY network ORDER BY surprisal DESC, day) AS nth FROM pooled)
WHERE nth = 1
