-- title: A client of a web application from where nobody comes
-- what: clients of a load balancer in networks new to the application; their requests and bytes against all clients' days; posts to administration
-- severity follows: administration reached, volume, whether anybody is known at that address
-- techniques: T1190 T1505 T1048 T1213
-- about: A balancer knows addresses, not users. A client is strange if it came after the first week of logs, no accepted
-- about: client came from its network before, and no log knows a user at its address. A traveller logs in somewhere, so
-- about: is known. Requests that were all refused are background. Where a gateway or CDN is in front, all clients are the
-- about: gateway: read the application's own log then.
-- needs: accesses
-- once: strangers
-- parameter min_log_days = 7: days of logs before the client came; with fewer, everybody is new
-- parameter min_z = 3: robust z of ln(1 + requests) or of ln(1 + bytes) of its fullest day, against all clients' days
-- parameter floor_bytes = 1000000: bytes to the client; less is never unusual by volume
WITH strangers AS (
    SELECT *, greatest(z_events, z_bytes) >= $min_z AND bytes_out >= $floor_bytes AS takes_much
    FROM clients
    WHERE NOT is_internal AND log_days >= $min_log_days AND coalesce(users, 0) = 0
        -- A provider's network may be the whole town's: there, the subnet must be new as well, and nobody known there. Who
        -- administers is known somewhere.
        AND (network_clients = 0 OR users = 0 AND (subnet_clients = 0 OR administered > 0))
)
SELECT
    CASE
        WHEN succeeded = 0 THEN 'informational'
        WHEN administered > 0 THEN CASE WHEN network_clients = 0 THEN 'high' ELSE 'medium' END
        WHEN takes_much THEN CASE WHEN network_clients = 0 THEN 'medium' ELSE 'low' END
        WHEN network_clients = 0 THEN 'low'
        ELSE 'informational'
    END AS severity,
    least(1.0, 0.3 + CASE WHEN administered > 0 THEN 0.4 ELSE 0.0 END + greatest(z_events, z_bytes, 0) / 40) AS score,
    account_id, region, host, remote,
    -- What is no address names itself.
    CASE WHEN host IS NULL AND remote IS NULL THEN source END AS principal,
    source, app, app AS object_kind, logs,
    first_seen, last_seen,
    events AS requests,
    succeeded, failed, denied,
    administered,
    bytes_out,
    days,
    events_day AS requests_fullest_day,
    z_events AS robust_z_requests,
    z_bytes AS robust_z_bytes,
    network,
    network_clients,
    users AS known_users,
    agents,
    log_days,
    concat(
        source, ' sent ', CAST(events AS VARCHAR), ' requests to ', coalesce(app, 'an application'), ' on ',
        CAST(days AS VARCHAR), ' days and got ', human_bytes(bytes_out), '; nobody came from its ',
        CASE WHEN network_clients = 0 THEN 'network' WHEN subnet_clients = 0 THEN 'subnet' ELSE 'address' END, ' before',
        CASE WHEN users IS NULL THEN '' ELSE ' and no log knows a user there' END,
        CASE WHEN administered > 0
            THEN concat('; ', CAST(administered AS VARCHAR), ' requests to administration succeeded') ELSE '' END,
        CASE WHEN denied + failed > 0 THEN concat('; ', CAST(denied + failed AS VARCHAR), ' were refused or failed')
            ELSE '' END, '.'
    ) AS explanation
FROM strangers
