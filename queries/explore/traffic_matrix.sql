-- question: Which of our networks talk to which?
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter length integer = 24: prefix length of networks, 0 to 32
-- parameter limit integer = 50: rows at most
-- column from_network: network of the client
-- column to_network: network of the server
-- column hosts: clients
-- column connections: connections
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
SELECT prefix(host, $length) AS from_network, prefix(remote, $length) AS to_network, distinct_hosts(host) AS hosts,
    sum(connections) AS connections, sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in
FROM pairs
WHERE role = 'client' AND NOT external AND NOT local_scope AND host LIKE '%.%'
GROUP BY prefix(host, $length), prefix(remote, $length)
ORDER BY bytes_out + bytes_in DESC, from_network, to_network
LIMIT $limit
