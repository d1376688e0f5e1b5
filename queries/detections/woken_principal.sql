-- title: A user or role that acts after a long silence
-- what: the first act of a user, service account or role that did nothing for 60 days or more, by logs, ledgers and the credential report
-- severity follows: whether anybody used the network before, what it did, own earlier silences
-- techniques: T1078 T1078.004
-- about: Accounts of people who left and of projects that ended. What the same identity's key tells by itself is told
-- about: there (`stale_credential`). People come back from leave: from a network that others use it stays low.
-- needs: accesses
-- once: woken
-- parameter min_gap_days = 60: days without any act; fewer are not told
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH woken AS (
    SELECT
        w.*,
        w.own_gaps >= 2 AND w.longest_gap_days * 1.2 >= w.gap_days AS usual_gap,
        i.account_id, i.host, i.source, i.network, i.logs, i.events, i.denied, i.denied_actions, i.network_users,
        i.log_days, i.grants, i.made, i.administered
    FROM wakings w
    JOIN identity_days i ON i.identity = w.identity AND i.day = w.day
    WHERE w.kind = 'principal' AND w.gap_days >= $min_gap_days
        AND NOT EXISTS (
            SELECT 1 FROM wakings k WHERE k.kind = 'credential' AND k.identity = w.identity AND k.gap_days >= $min_gap_days
        )
        -- In another log it may have acted all the time.
        AND i.history_days = 0
)
SELECT
    CASE
        WHEN network_users = 0 AND log_days >= $min_log_days THEN 'high'
        WHEN usual_gap THEN 'informational'
        WHEN denied_actions >= 3 OR grants + made + administered > 0 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + gap_days / 1000.0) AS score,
    account_id, host, identity AS principal, source, logs, first_seen, last_seen,
    gap_days,
    last_used, last_from,
    network,
    network_users AS network_identities,
    own_gaps, longest_gap_days,
    events, denied,
    concat(
        identity, ' acted after ', CAST(gap_days AS VARCHAR), ' days',
        CASE last_from WHEN 'creation' THEN ', for the first time since it was made' WHEN 'report'
            THEN ' (by the credential report)' ELSE '' END,
        ', from ', source,
        CASE WHEN network_users = 0 AND log_days >= $min_log_days THEN ', a network that nobody used before' ELSE '' END,
        '.'
    ) AS explanation
FROM (
    SELECT *, row_number() OVER (PARTITION BY identity ORDER BY gap_days DESC, first_seen) AS nth FROM woken
)
WHERE nth = 1
