-- The days of `acts_by_day` (one row for each identity and day) in the window, each with what the identity did otherwise,
-- and whether it does so by habit. Needs the parameters habit_days and min_log_days.
counted AS (
    SELECT
        *,
        row_number() OVER (PARTITION BY identity ORDER BY day) - 1 AS earlier_days,
        count(*) OVER (PARTITION BY identity) AS all_days
    FROM acts_by_day
),
habit_days AS (
    SELECT
        i.*, c.* EXCLUDE (identity, day),
        i.network_users = 0 AND i.log_days >= $min_log_days AS strange_network,
        -- Doing so for the first time is unusual by itself: it takes more.
        i.is_unusual AND i.new_place AS strange_day,
        -- Without history before the window, the window itself shows what is done all the time.
        c.earlier_days >= $habit_days
            OR c.all_days >= $habit_days AND min(i.log_days) OVER (PARTITION BY i.identity) < $min_log_days AS is_habit
    FROM counted c
    JOIN identity_days i ON i.identity = c.identity AND i.day = c.day
    WHERE i.in_window
),
