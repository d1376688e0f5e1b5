-- title: Credentials of an instance used elsewhere
-- what: the role session of an instance that calls AWS from a network that is new to it, from two networks, or from where a person's credentials are used
-- severity follows: always high; medium if only a subnet is new
-- techniques: T1552.005 T1078.004
-- about: The credentials of an instance are of use to it alone, and it calls from its own address, its NAT or an
-- about: endpoint. A new NAT or elastic address changes all instances behind it at once, which is medium.
-- needs: accesses
-- once: outside
-- parameter min_log_days = 7: days of logs before; with fewer, only two networks and shared sources tell
WITH own_source AS (
    SELECT identity, source, network, min(first_seen) AS first_seen, max(last_seen) AS last_seen, sum(events) AS events,
        min(agent_family) AS agent, min(account_id) AS account_id
    FROM access_hours
    WHERE principal_kind = 'instance' AND source IS NOT NULL AND outcome IN ('success', 'denied', 'failure')
    GROUP BY identity, source, network
),
people AS (
    SELECT DISTINCT source FROM access_hours
    WHERE log = 'cloudtrail' AND principal_kind IN ('user', 'root') AND source IS NOT NULL
),
counted AS (
    SELECT
        s.*,
        count(*) OVER (PARTITION BY s.identity) AS sources_all,
        p.source IS NOT NULL AS of_people,
        count(*) OVER (PARTITION BY s.source) AS instances_there
    FROM own_source s
    LEFT JOIN people p ON p.source = s.source
),
days AS (
    SELECT identity, source, min(day) AS day, bool_or(new_network) AS new_network, min(network_users) AS network_users
    FROM identity_days
    WHERE is_instance AND in_window AND new_place AND log_days >= $min_log_days AND history_days > 0
    GROUP BY identity, source
),
outside AS (
    SELECT
        c.*, d.new_network, d.network_users,
        row_number() OVER (PARTITION BY c.identity ORDER BY c.of_people DESC, c.events, c.source) AS nth
    FROM counted c
    LEFT JOIN days d ON d.identity = c.identity AND d.source = c.source
    WHERE CAST(c.last_seen AS BIGINT) >= $window_from_s
        AND (c.of_people AND c.instances_there < 3 OR d.source IS NOT NULL)
)
SELECT
    CASE WHEN of_people OR new_network AND instances_there < 3 THEN 'high' ELSE 'medium' END AS severity,
    0.8 AS score,
    account_id, CAST(NULL AS VARCHAR) AS host, identity AS principal, source, make_array('cloudtrail') AS logs,
    first_seen, last_seen,
    network, events, agent,
    of_people AS source_of_people,
    sources_all AS sources_of_instance,
    instances_there AS instances_at_source,
    network_users AS network_identities,
    concat(
        'The role of an instance, ', identity, ', was used from ', source,
        CASE WHEN of_people THEN ', where credentials of people are used' ELSE ', which is new to it' END, ' (', agent, ').'
    ) AS explanation
FROM outside
WHERE nth = 1
