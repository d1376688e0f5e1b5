-- question: Which remotes do the most hosts share?
-- cost: the rollup (`destinations`): all logs of the window once, or kept hours
-- parameter limit integer = 25: rows at most
-- column remote: other side
-- column hosts: hosts that talk to it
-- column share: share of all hosts 0 to 1
-- column ports: different ports
-- column bytes_out: bytes that left the host
-- column owner: owner of the network, if --networks knows it
SELECT remote, prevalence_hosts AS hosts, round(prevalence_share, 3) AS share, ports, bytes_out,
    network_owner(remote) AS owner
FROM destinations
WHERE external AND role = 'client'
ORDER BY hosts DESC, bytes_out DESC, remote
LIMIT $limit
