-- question: Which connections stay open for a long time?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter min duration = 1h: shorter ones are left out
-- parameter only_external boolean = true: leave out internal remotes
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column remote: other side
-- column port: service port
-- column service: usual name of the service
-- column role: client or server: the host's part
-- column open: length of the longest
-- column longest_s: the same in seconds
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column prevalence_hosts: hosts that talk to this remote
SELECT host, remote, port, service_name(port, protocol) AS service, role, human_duration(longest_s) AS open, longest_s,
    bytes_out, bytes_in, prevalence_hosts
FROM pairs
WHERE longest_s >= $min AND NOT local_scope AND (external OR NOT $only_external)
ORDER BY longest_s DESC, host, remote, port, protocol, role
LIMIT $limit
