-- Whether the uploads of the hosts in `beyond` recur: `recurring` has a row for each. Without history, a window of several
-- days shows what recurs: the same hour of most days, about as full, and little outside that hour. This never lowers what
-- is known to be new.
tops AS (
    SELECT s.account_id, s.region, s.host,
        first_value(CAST(h.hour AS BIGINT) ORDER BY h.bytes_out DESC, h.hour) AS top_s, max(h.bytes_out) AS top_bytes
    FROM beyond s
    JOIN host_hours h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host AND h.in_window
    GROUP BY s.account_id, s.region, s.host
),
clocked AS (
    SELECT
        t.account_id, t.region, t.host, t.top_bytes, h.bytes_out,
        -- Days begin twelve hours before that hour.
        (CAST(h.hour AS BIGINT) + 43200 - t.top_s % 86400) / 86400 AS day,
        abs(((CAST(h.hour AS BIGINT) - t.top_s) / 3600 % 24 + 36) % 24 - 12) <= 1 AS at_that_hour
    FROM tops t
    JOIN host_hours h ON h.account_id = t.account_id AND h.region = t.region AND h.host = t.host AND h.in_window
),
recurring AS (
    SELECT
        *,
        days_alike >= $recurring_days AND 10 * days_alike >= 6 * days_seen
            AND 10 * bytes_alike >= 8 * bytes_seen AS recurs
    FROM (
        SELECT
            account_id, region, host,
            count(DISTINCT day) AS days_seen,
            count(DISTINCT CASE WHEN at_that_hour AND 10 * bytes_out >= 3 * top_bytes THEN day END) AS days_alike,
            sum(bytes_out) AS bytes_seen,
            sum(CASE WHEN at_that_hour THEN bytes_out ELSE 0 END) AS bytes_alike
        FROM clocked
        GROUP BY account_id, region, host
    )
),
