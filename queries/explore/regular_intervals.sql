-- question: How regular are a host's contacts, in plain numbers?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter host address: the host
-- parameter min_intervals integer = 5: fewer are left out
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column remote: other side
-- column port: service port
-- column intervals: intervals between contacts
-- column mean_s: mean seconds
-- column median_s: median seconds
-- column mad_s: median absolute deviation
-- column longest_s: longest
WITH contacts AS (
    SELECT remote, dstport AS port, interval_stats(start) AS i
    FROM flows
    WHERE start >= $from AND start < $to AND host = $host AND outbound AND vantage <> 'transit' AND tcp_flags & 18 = 2
    GROUP BY remote, dstport
)
SELECT remote, port, i['intervals'] AS intervals, round(i['mean_s'], 1) AS mean_s, i['median_s'] AS median_s,
    i['mad_s'] AS mad_s, i['longest_s'] AS longest_s
FROM contacts
WHERE i['intervals'] >= $min_intervals
ORDER BY i['mad_s'] / greatest(1, i['median_s']), remote, port
LIMIT $limit
