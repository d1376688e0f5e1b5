-- title: Trying what is allowed
-- what: different acts of AWS denied to an identity on one day, beyond its own and its peers' earlier days (negative binomial)
-- severity follows: whether the network is new, number of different acts
-- techniques: T1580 T1526 T1087.004 T1619
-- about: Whoever holds a key and does not know what it may do asks everywhere. Retries count once: it is different
-- about: services and actions that matter. Scanners and tools of the cloud's own posture are denied every day, which
-- about: the count's own habit absorbs.
-- needs: accesses
-- once: beyond
-- parameter min_denied = 5: different acts denied in a day; fewer are not told
-- parameter max_p = 0.001: chance of so many, by own earlier days and the peers'
-- parameter high_denied = 12: different acts from which a new network is not needed for high
WITH beyond AS (
    SELECT *, CAST(denied_actions AS DOUBLE) AS weight
    FROM identity_days
    WHERE in_window AND denied_actions >= $min_denied AND p_denied <= $max_p
        AND array_has(logs, 'cloudtrail')
),
-- include: worst_days
SELECT
    CASE
        WHEN denied_actions >= 8 AND (is_unusual OR network_users = 0 AND log_days >= 7) THEN 'high'
        WHEN denied_actions >= $high_denied AND denied_services >= 4 THEN 'high'
        WHEN denied_actions >= 8 OR is_unusual OR network_users = 0 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + denied_actions / 40.0) AS score,
    p_denied AS p_value,
    account_id, host, identity AS principal, credential, source, logs,
    first_told AS first_seen, last_told AS last_seen,
    denied_actions AS distinct_denied,
    denied_services AS services_denied,
    denied_first,
    denied, succeeded,
    denied_days AS earlier_days_denied,
    history_days,
    days,
    network,
    network_users AS network_identities,
    concat(
        identity, ' was denied ', CAST(denied_actions AS VARCHAR), ' different acts of ',
        CAST(denied_services AS VARCHAR), ' services in a day (', array_to_string(denied_first, ', '), ')',
        CASE WHEN denied_days = 0 AND history_days > 0 THEN '; none was on its earlier days' ELSE '' END,
        CASE WHEN network_users = 0 AND log_days >= 7 THEN '; nobody used that network before' ELSE '' END, '.'
    ) AS explanation
FROM told
