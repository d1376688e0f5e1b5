-- title: Access unlike the identity's own
-- what: days of an identity with networks, programs, services, apps or kinds of action new to it; surprisals added over dimensions, against its own and its peers' earlier days
-- severity follows: surprisal, whether the network is new, what the identity may do
-- techniques: T1078.004 T1078
-- about: What an identity does on a day is compared with all of its earlier days in all logs that know it. Each thing
-- about: that is new to it adds its surprisal: rare where the identity seldom changes and few others use the same. Days
-- about: that were unusual by themselves never become a habit. Travel, a new laptop or a new app alone stay low. The
-- about: p-value is the share of usual identity-days that surprise as much; with few of them it cannot be small.
-- needs: accesses
-- once: beyond
-- parameter min_rarities = 1.9: surprisal from which a day is told, in units of a value that nobody else uses
-- parameter medium_rarities = 2.25: from which it may be more than low
-- parameter high_rarities = 3.3: from which a new network is high for anybody
-- parameter max_p = 0.01: share of usual identity-days as surprising; in a large estate the far traveller is no news
-- parameter min_log_days = 7: days of logs before; with fewer, everything is new
WITH beyond AS (
    SELECT *, surprisal AS weight, has_long_term_key OR is_program OR grants + made + administered > 0 AS may_much
    FROM identity_days
    WHERE in_window AND log_days >= $min_log_days AND rarities >= $min_rarities
        AND (p_value <= $max_p OR is_unusual)
),
-- include: worst_days
SELECT
    CASE
        WHEN rarities < CASE WHEN is_program THEN 0.9 ELSE 1 END * $medium_rarities OR novelties < 2 AND NOT is_newcomer THEN 'low'
        WHEN new_network AND network_users = 0 AND (may_much OR rarities >= $high_rarities) THEN 'high'
        WHEN new_place AND (may_much OR denied + failed > 0 OR rarities >= $high_rarities) THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, surprisal / 25) AS score,
    p_value,
    account_id, host, identity AS principal, credential, source,
    CASE WHEN array_length(apps) = 1 THEN apps[1] END AS app,
    logs,
    first_told AS first_seen, last_told AS last_seen,
    new_values,
    surprisal,
    rarities,
    days,
    history_days,
    is_newcomer,
    network,
    network_users AS network_identities,
    identities,
    events_told AS events,
    failed, denied,
    is_program,
    has_long_term_key,
    log_days,
    concat(
        identity, ' acted as it never did: new to it were ', array_to_string(new_values, ', '),
        CASE WHEN is_newcomer THEN '; it was not seen on any earlier day'
            ELSE concat('; ', CAST(history_days AS VARCHAR), ' earlier days are known') END,
        CASE WHEN days_told > 1 THEN concat('; so on ', CAST(days_told AS VARCHAR), ' days') ELSE '' END, '.'
    ) AS explanation
FROM told
