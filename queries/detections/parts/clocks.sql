-- What holds the beats `b` of the rows of `judged`: `keeps_clock` where the wall clock does, `may_keep_clock` where a
-- schedule and a sleeper cannot be distinguished. Starts that all lie on one second of the window are known to the second
-- unless the whole log of the ENI is that coarse; twenty such beats leave no time for work between sleeps.
held AS (
    SELECT
        *,
        b['period_s'] >= 60 AND coalesce(b['clock_period_s'] IS NOT NULL OR exact AND beats >= 20, FALSE) AS keeps_clock,
        b['period_s'] >= 60 AND b['clock_period_s'] IS NULL AND coalesce(
            CASE WHEN exact THEN beats < 20 ELSE b['possible_clock_s'] IS NOT NULL END, FALSE) AS may_keep_clock
    FROM (
        SELECT *, b['check_ins'] AS beats, b['resolution_s'] > 1 AND on_grid IS FALSE AS exact
        FROM judged
    )
),
