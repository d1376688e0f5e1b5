-- The ports on which a host tries many remotes in vain: that is a sweep, and no train. A host that scans has millions of
-- such remotes: they are counted, not held.
sweeps AS (
    SELECT account_id, region, host, port, count(*) AS silent_remotes
    FROM pairs
    WHERE NOT local_scope AND NOT mirrored AND
-- include: never_answered
    GROUP BY account_id, region, host, port
    HAVING count(*) >= $sweep_remotes
),
