-- question: Which hosts cause the cost of NAT gateways?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter price_per_gb number = 0.045: price of a processed gigabyte
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column host: monitored side
-- column remotes: external addresses
-- column bytes: bytes through NAT in both directions
-- column cost: bytes at the price
WITH translated AS (
    -- On the gateway's ENI: what clients send to it, and what it returns to them.
    SELECT srcaddr AS host, pkt_dstaddr AS remote, bytes
    FROM flows
    WHERE start >= $from AND start < $to AND flow_direction = 'ingress' AND pkt_dstaddr <> dstaddr
        AND is_internal(srcaddr)
        AND NOT is_internal(pkt_dstaddr)
    UNION ALL
    SELECT dstaddr, pkt_srcaddr, bytes
    FROM flows
    WHERE start >= $from AND start < $to AND flow_direction = 'egress' AND pkt_srcaddr <> srcaddr
        AND is_internal(dstaddr)
        AND NOT is_internal(pkt_srcaddr)
)
SELECT host, distinct_hosts(remote) AS remotes, sum(bytes) AS bytes, round(sum(bytes) / 1e9 * $price_per_gb, 4) AS cost
FROM translated
GROUP BY host
ORDER BY bytes DESC NULLS LAST, host
LIMIT $limit
