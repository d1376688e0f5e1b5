-- question: What did a client ask of load balancers, and what do its flows weigh?
-- cost: the balancers' logs and the flow records of the time asked for (`balancer_requests`, `flows`)
-- parameter client address: the client's address
-- parameter from time = 1970-01-01: hours from
-- parameter to time = 9999-12-31: hours before
-- column hour: hour, UTC
-- column host: the host name that was asked
-- column requests: requests
-- column failed: requests that were refused or went wrong
-- column paths: different paths
-- column sent_bytes: bytes that balancers sent, by their log
-- column received_bytes: bytes that they received, by their log
-- column flow_bytes_out: bytes that monitored hosts sent to the client in this hour, by the flow logs
-- column flow_bytes_in: bytes that they received from it
WITH requests AS (
    SELECT date_trunc('hour', time) AS hour, host, count(*) AS requests,
        count(*) FILTER (WHERE outcome <> 'success') AS failed, count(DISTINCT path) AS paths,
        sum(sent_bytes) AS sent_bytes, sum(received_bytes) AS received_bytes
    FROM balancer_requests
    WHERE client_address = $client AND time >= $from AND time < $to
    GROUP BY date_trunc('hour', time), host
),
flow_hours AS (
    SELECT date_trunc('hour', start) AS hour, sum(bytes) FILTER (WHERE outbound) AS flow_bytes_out,
        sum(bytes) FILTER (WHERE NOT outbound) AS flow_bytes_in
    FROM flows
    WHERE remote = $client AND vantage = 'own' AND start >= $from AND start < $to
    GROUP BY date_trunc('hour', start)
)
SELECT coalesce(r.hour, f.hour) AS hour, r.host, coalesce(r.requests, 0) AS requests, r.failed, r.paths, r.sent_bytes,
    r.received_bytes, f.flow_bytes_out, f.flow_bytes_in
FROM requests r
FULL JOIN flow_hours f ON f.hour = r.hour
ORDER BY 1, 2
