-- The external remotes of each host in `beyond`; the one that can have received the most in its `hour` comes first.
-- Only the hosts in `beyond` are joined: ranking every pair would cost more than everything else.
met AS (
    SELECT
        p.*,
        p.remote = h.top_remote AS top,
        -- The most that the remote can have received in that hour, if it is rare.
        CASE WHEN p.first_seen < h.hour + INTERVAL '2 hours' AND p.last_seen >= h.hour - INTERVAL '1 hour'
                AND (NOT $uploads_only OR p.bytes_out >= p.bytes_in)
                AND p.prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts))
                AND (p.aws_service IS NULL OR p.aws_service IN ('EC2', 'AMAZON'))
            THEN least(p.max_hour_bytes_out, h.bytes_out) ELSE 0 END AS rare_bytes_out,
        -- A port whose fullest hour is larger than that hour, or that was silent in it, received its share at another
        -- time.
        p.max_hour_bytes_out <= h.top_remote_bytes_out AND p.first_seen < h.hour + INTERVAL '1 hour'
            AND p.last_seen >= h.hour AS fits
    FROM beyond h
    JOIN pairs p ON p.account_id = h.account_id AND p.region = h.region AND p.host = h.host
    WHERE p.external AND p.role = 'client'
),
takers AS (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY account_id, region, host
                ORDER BY top DESC, fits DESC, max_hour_bytes_out DESC, port, protocol, remote
        ) AS nth_taker,
        sum(CASE WHEN top THEN 1 ELSE 0 END) OVER (PARTITION BY account_id, region, host) AS top_ports,
        sum(rare_bytes_out) OVER (PARTITION BY account_id, region, host) AS rare_bytes_most,
        sum(CASE WHEN first_contact IS FALSE THEN 0 ELSE rare_bytes_out END)
            OVER (PARTITION BY account_id, region, host) AS new_bytes_most,
        bool_or(first_contact AND rare_bytes_out > 0) OVER (PARTITION BY account_id, region, host) AS any_first
    FROM met
),
