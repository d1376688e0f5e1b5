-- Hosts that sent for so many hours before the window, in a history so long, that "not met" or "met lately" says something
-- about a remote of theirs: to a new host every remote is new.
settled AS (
    SELECT account_id, region, host, max(baseline_hours) >= $settled_hours AND $window_from_s - $baseline_from_s >= 7 * 86400 AS settled
    FROM host_hours
    WHERE in_window AND $has_history
    GROUP BY account_id, region, host
),
