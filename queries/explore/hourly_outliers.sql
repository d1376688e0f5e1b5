-- question: In which hours did hosts send far more than usual?
-- cost: the rollup (`host_hours`): all logs of the window once, or kept hours
-- parameter min_bytes integer = 10000000: bytes out in an hour; less is left out
-- parameter min_z number = 5: deviations; less is left out
-- parameter limit integer = 25: rows at most
-- column account_id: account
-- column region: region
-- column host: monitored side
-- column hour: hour, UTC
-- column bytes_out: bytes that left the host
-- column usual_bytes: median of its hours
-- column robust_z: deviations from it
WITH logs AS (
    SELECT account_id, region, host, hour, bytes_out, ln(1 + CAST(bytes_out AS DOUBLE)) AS log_bytes FROM host_hours
    WHERE in_window
),
judged AS (
    -- Hosts of several accounts may have the same address.
    SELECT account_id, region, host, hour, bytes_out, median(log_bytes) OVER own AS middle,
        robust_z(log_bytes, median(log_bytes) OVER own, mad(log_bytes) OVER own) AS z
    FROM logs
    WINDOW own AS (PARTITION BY account_id, region, host)
)
SELECT account_id, region, host, hour, bytes_out, CAST(round(exp(middle) - 1) AS BIGINT) AS usual_bytes,
    round(z, 1) AS robust_z
FROM judged
WHERE bytes_out >= $min_bytes AND z >= $min_z
ORDER BY z DESC, account_id, region, host, hour
LIMIT $limit
