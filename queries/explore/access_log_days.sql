-- question: Which logs of accesses are there for each day?
-- cost: the logs of accesses of the time asked for (`accesses`)
-- parameter from time = 1970-01-01: days from
-- parameter to time = 9999-12-31: days before
-- column log: the log
-- column account_id: the account; NULL for logs that know none
-- column day: day, UTC
-- column acts: acts
-- column principals: different principals
-- column files: different objects that tell them
SELECT log, account_id, date_trunc('day', time) AS day, count(*) AS acts, count(DISTINCT principal) AS principals,
    count(DISTINCT file) AS files
FROM accesses
WHERE time >= $from AND time < $to
GROUP BY log, account_id, date_trunc('day', time)
ORDER BY log, account_id, day
