-- question: Which outbound connections keep time, judged straight from the records?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter max_p number = 0.000001: p-value; larger ones are left out
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column srcaddr: sender
-- column dstaddr: receiver
-- column dstport: receiver's port
-- column period_s: seconds between check-ins
-- column jitter_ratio: 0 is a clock
-- column connections: connections
-- column p_value: probability that random traffic looks so
-- column score: 0 to 1
WITH judged AS (
    SELECT srcaddr, dstaddr, dstport, beacon(start, bytes) AS b
    FROM flows
    WHERE start >= $from AND start < $to AND outbound AND protocol = 6 AND tcp_flags & 18 = 2
        AND NOT is_internal(dstaddr)
    GROUP BY srcaddr, dstaddr, dstport
)
SELECT srcaddr, dstaddr, dstport, round(b['period_s'], 1) AS period_s, round(b['jitter_ratio'], 3) AS jitter_ratio,
    b['connections'] AS connections, signif(b['p_value'], 3) AS p_value, round(b['score'], 2) AS score
FROM judged
WHERE b['p_value'] <= $max_p
ORDER BY round(b['score'], 2) DESC, srcaddr, dstaddr, dstport
LIMIT $limit
