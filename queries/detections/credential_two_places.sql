-- title: One credential used from two places at once
-- what: a key, session or token whose uses from two networks alternate within the hour (runs against shuffles), where one that travels would change once
-- severity follows: how often the place changes, whether the programs differ
-- techniques: T1539 T1550.004
-- about: A stolen cookie or key is used while its owner goes on. Proxies in pairs and phones between a mobile network and
-- about: WiFi alternate as well, with one program: they stay low. Only the first and last use of each action in an hour
-- about: are known, so short spells are missed.
-- needs: accesses
-- once: shared
-- parameter min_switches = 3: changes of the network within an hour of each other; fewer are a journey
-- parameter min_p = 0.05: chance that a shuffle of the same uses changes no more often; below, they follow one another
WITH shared AS (
    SELECT *
    FROM shared_credentials
    WHERE NOT is_instance AND quick_switches >= $min_switches AND p_no_more >= $min_p
)
SELECT
    CASE
        WHEN agents_differ AND quick_switches >= 2 * $min_switches THEN 'high'
        WHEN agents_differ THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + quick_switches / 40.0) AS score,
    CAST(NULL AS VARCHAR) AS host,
    identity AS principal, credential, sources[1] AS source,
    make_array(CASE credential_kind WHEN 'web_session' THEN 'okta' WHEN 'ssh_key' THEN 'bitbucket_access'
        WHEN 'api_token' THEN 'okta' ELSE 'cloudtrail' END) AS logs,
    first_seen, last_seen,
    networks, sources, switches, quick_switches, uses,
    p_no_more AS p_shuffled_no_more,
    agents_differ,
    credential_kind,
    concat(
        'A ', replace(credential_kind, '_', ' '), ' of ', identity, ' was used from ', networks[1], ' and ', networks[2],
        ' in turns: ', CAST(switches AS VARCHAR), ' changes in ', CAST(uses AS VARCHAR), ' uses',
        CASE WHEN agents_differ THEN ', with programs of their own' ELSE '' END, '.'
    ) AS explanation
FROM shared
