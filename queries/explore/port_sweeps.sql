-- question: Which hosts try one port on many remotes?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter min_remotes integer = 10: remotes on one port; fewer are left out
-- parameter only_internal boolean = true: look inside only: lateral movement
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column port: service port
-- column service: usual name of the service
-- column remotes: remotes
-- column connections: connections
-- column rejected: rejected records
SELECT host, port, service_name(port, protocol) AS service, distinct_hosts(remote) AS remotes,
    sum(connections) AS connections,
    sum(rejected) AS rejected
FROM pairs
WHERE role = 'client' AND NOT local_scope AND (NOT external OR NOT $only_internal)
GROUP BY host, port, protocol
HAVING distinct_hosts(remote) >= $min_remotes
ORDER BY remotes DESC, host, port, protocol
LIMIT $limit
