-- question: Where are the logs incomplete?
-- cost: the rollup (`coverage`): all logs of the window once, or kept hours
-- parameter min_hours integer = 0: ENIs with fewer hours are shown too
-- parameter limit integer = 50: rows at most
-- column interface_id: ENI
-- column hours: hours with records of any kind
-- column skipdata: windows with lost records
-- column skipdata_s: seconds of lost records
-- column nodata: windows without traffic
SELECT interface_id, count(DISTINCT hour) AS hours, sum(skipdata) AS skipdata, sum(skipdata_s) AS skipdata_s,
    sum(nodata) AS nodata
FROM coverage
WHERE log = 'vpc_flow'
GROUP BY interface_id
HAVING sum(skipdata) > 0 OR count(DISTINCT hour) < $min_hours
ORDER BY skipdata_s DESC, hours, interface_id
LIMIT $limit
