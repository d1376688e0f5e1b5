-- Pairs whose remote is on a feed of the kind `$list`: the entry is `hit`, NULL where there is none.
hits AS (
    SELECT
        *,
        -- The port of a server is the host's own, so it does not show the remote's service.
        indicator(
            remote, CASE WHEN role = 'client' THEN port END, protocol,
            CAST(first_seen AS BIGINT), CAST(last_seen AS BIGINT), $list
        ) AS hit
    FROM pairs
    WHERE NOT local_scope
)
