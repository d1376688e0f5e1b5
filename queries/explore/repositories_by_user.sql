-- question: Which users fetched the most repositories, and how much?
-- cost: Bitbucket's access log of the time asked for (`bitbucket_access`)
-- parameter from time = 1970-01-01: requests at or after
-- parameter to time = 9999-12-31: requests before
-- parameter limit integer = 100: rows at most
-- column user_name: user
-- column client_address: where the requests came from
-- column repositories: different repositories
-- column archives: archives downloaded
-- column clones: clones
-- column bytes_out: bytes sent to the client
-- column first_seen: the first request, UTC
-- column last_seen: the last request, UTC
SELECT user_name, client_address, count(DISTINCT concat(project, '/', repository)) AS repositories,
    count(*) FILTER (WHERE operation = 'archive') AS archives,
    count(*) FILTER (WHERE operation = 'clone') AS clones, sum(bytes_out) AS bytes_out, min(time) AS first_seen,
    max(time) AS last_seen
FROM bitbucket_access
WHERE operation IN ('archive', 'clone', 'fetch') AND outcome = 'success' AND time >= $from AND time < $to
GROUP BY user_name, client_address
ORDER BY repositories DESC, bytes_out DESC, user_name, client_address
LIMIT $limit
