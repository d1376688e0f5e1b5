-- title: Many repositories downloaded by one who does not
-- what: repositories new to an identity on a day, beyond its own largest day and its peers' (negative binomial); their sum over the window; bytes beyond its own largest day
-- severity follows: how well the identity is known, new repositories, whether its day was unusual
-- techniques: T1213.003 T1119 T1567
-- about: What counts is what is new to the reader: backup and builds clone much, and always the same. A few new ones a
-- about: day add up over the window. The first week of an identity known from no log is judged by its peers.
-- needs: accesses
-- once: beyond
-- parameter min_new = 10: repositories new to the identity in a day; fewer are only summed
-- parameter max_p = 0.001: chance of so many, by own earlier days and the peers'
-- parameter min_sum = 40: repositories new to the identity in the window from which the sum is told
-- parameter sum_times_peers = 5: the sum is told from so many times the median of the peers
-- parameter min_log_days = 7: days of logs before; with fewer, everything is new
-- parameter large_bytes = 1000000000: bytes in a day from which ten times the own largest day is told
WITH reading AS (
    SELECT
        i.*, r.objects, r.new_objects, r.most_new, r.reading_days, r.reads, r.downloads, r.bytes_out, r.p_new, r.most_bytes
    FROM reading_days r
    JOIN identity_days i ON i.identity = r.identity AND i.day = r.day
    WHERE r.collection = 'repositories' AND r.in_window AND i.log_days >= $min_log_days
),
-- The first day of a reader who was there from the beginning shows what it knew.
sums AS (
    SELECT identity, is_program, sum(new_objects) AS new_sum, count(*) AS sum_days, sum(bytes_out) AS bytes_sum
    FROM reading
    GROUP BY identity, is_program
),
peers AS (
    SELECT *, median(new_sum) OVER (PARTITION BY is_program) AS peer_median FROM sums
),
summed AS (
    SELECT
        r.*, p.new_sum, p.sum_days, p.bytes_sum, p.peer_median,
        r.new_objects >= $min_new AND r.new_objects > 3 * r.most_new AND r.p_new <= $max_p AS many_new,
        p.new_sum >= $min_sum AND p.new_sum >= $sum_times_peers * (1 + p.peer_median)
            AND (r.reading_days < p.sum_days OR r.history_days < 14) AS sum_is_many,
        r.bytes_out >= $large_bytes AND r.bytes_out > 10 * r.most_bytes AND r.reading_days >= 3 AS many_bytes
    FROM reading r
    JOIN peers p ON p.identity = r.identity AND p.is_program = r.is_program
),
beyond AS (
    SELECT *, CAST(new_objects AS DOUBLE) AS weight FROM summed WHERE many_new OR sum_is_many OR many_bytes
),
-- include: worst_days
SELECT
    CASE
        WHEN many_new AND (history_days < 7 OR is_unusual OR is_newcomer) AND new_objects >= 2 * $min_new THEN 'high'
        WHEN many_new AND is_unusual THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(1 + CAST(new_sum AS DOUBLE)) / 10) AS score,
    p_new AS p_value,
    host, identity AS principal, credential, source,
    CASE WHEN array_length(apps) = 1 THEN apps[1] END AS app,
    'repository' AS object_kind,
    logs,
    first_told AS first_seen, last_told AS last_seen,
    new_sum AS new_repositories,
    new_objects AS new_repositories_day,
    objects AS repositories_day,
    most_new AS own_most_new,
    downloads,
    bytes_sum AS bytes_out,
    bytes_out AS bytes_out_day,
    most_bytes AS own_most_bytes,
    days,
    history_days,
    peer_median AS peer_median_new,
    network,
    is_program,
    concat(
        identity, ' read ', CAST(new_sum AS VARCHAR), ' repositories that were new to it, up to ',
        CAST(new_objects AS VARCHAR), ' in a day (its own most before: ', CAST(most_new AS VARCHAR), '), ',
        human_bytes(bytes_sum), ' in all',
        CASE WHEN is_newcomer OR history_days = 0 THEN '; nothing is known of it before'
            ELSE concat('; ', CAST(history_days AS VARCHAR), ' earlier days are known') END,
        CASE WHEN host IS NULL THEN '' ELSE concat('; it did so from inside, from ', ip(host)) END, '.'
    ) AS explanation
FROM told
