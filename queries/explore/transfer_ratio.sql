-- question: Which hosts send far more to a remote than they get back?
-- origin: AWS incident response playbooks: data ratio per source and destination
-- cost: the rollup (`pairs`): all logs of the window once, or kept hours
-- parameter min_bytes integer = 1000000: bytes out; less is left out
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column remote: other side
-- column bytes_out: bytes that left the host
-- column bytes_in: bytes that came in
-- column out_in_ratio: bytes out for each byte in
SELECT host, remote, sum(bytes_out) AS bytes_out, sum(bytes_in) AS bytes_in,
    round(CAST(sum(bytes_out) AS DOUBLE) / greatest(1, sum(bytes_in)), 1) AS out_in_ratio
FROM pairs
WHERE external AND role = 'client'
GROUP BY host, remote
HAVING sum(bytes_out) >= $min_bytes
ORDER BY out_in_ratio DESC, bytes_out DESC, host, remote
LIMIT $limit
