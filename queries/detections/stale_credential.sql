-- title: A key or token used after a long silence
-- what: the first use of a key, token or SSH key that nobody used for 60 days or more, by logs, ledgers and the credential report
-- severity follows: whether anybody used the network before, denied acts, own earlier silences, age
-- techniques: T1078.004 T1550.001
-- about: Forgotten keys are what leaks and nobody misses. The last use is from the logs, from the ledger of earlier runs
-- about: (`--state`), from an IAM credential report or, if there was none, from when the key was made. A key that is as
-- about: silent every quarter is informational, and one that wakes up in a network that others use stays low unless it
-- about: asks for what it may not have.
-- needs: accesses
-- once: woken
-- parameter min_gap_days = 60: days without use; fewer are not told
-- parameter old_days = 365: days without use from which even a known network is medium
-- parameter min_denied = 3: different acts denied on that day from which a known network is medium
-- parameter min_log_days = 7: days of logs before; with fewer, no network is known
WITH woken AS (
    SELECT
        w.*,
        w.own_gaps >= 2 AND w.longest_gap_days * 1.2 >= w.gap_days AS usual_gap,
        i.account_id, i.host, i.source, i.network, i.logs, i.events, i.denied, i.denied_actions, i.denied_first,
        i.network_users, i.log_days, i.agents, i.new_values
    FROM wakings w
    LEFT JOIN identity_days i ON i.identity = w.identity AND i.day = w.day
    WHERE w.kind = 'credential' AND w.gap_days >= $min_gap_days
)
SELECT
    CASE
        WHEN network_users = 0 AND log_days >= $min_log_days THEN 'high'
        WHEN usual_gap THEN 'informational'
        WHEN denied_actions >= $min_denied OR gap_days >= $old_days AND last_from <> 'creation' THEN 'medium'
        WHEN network_users = 0 THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.5 + gap_days / 1000.0 + coalesce(denied_actions, 0) / 100.0) AS score,
    account_id, host, identity AS principal, credential, source, coalesce(logs, make_array('cloudtrail')) AS logs,
    first_seen, last_seen,
    gap_days,
    last_used, last_from,
    age_days,
    own_gaps, longest_gap_days,
    network,
    network_users AS network_identities,
    events,
    denied, denied_actions, denied_first,
    agents,
    credential_kind,
    concat(
        'A ', replace(credential_kind, '_', ' '), ' of ', identity, ' was used after ', CAST(gap_days AS VARCHAR),
        ' days',
        CASE last_from WHEN 'creation' THEN ', for the first time since it was made' WHEN 'report'
            THEN ' (by the credential report)' ELSE '' END,
        CASE WHEN source IS NULL THEN '' ELSE concat(', from ', source) END,
        CASE WHEN network_users = 0 AND log_days >= $min_log_days THEN ', a network that nobody used before'
            WHEN network_users > 0 THEN concat(', a network that ', CAST(network_users AS VARCHAR), ' identities use')
            ELSE '' END,
        CASE WHEN denied_actions > 0 THEN concat('; ', CAST(denied_actions AS VARCHAR), ' different acts were denied')
            ELSE '' END,
        CASE WHEN usual_gap THEN '; it was as silent before' ELSE '' END, '.'
    ) AS explanation
FROM woken
