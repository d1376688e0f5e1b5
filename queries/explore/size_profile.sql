-- question: How large are the records of each service?
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 25: rows at most
-- column port: service port
-- column service: usual name of the service
-- column records: flow records
-- column median_bytes: median
-- column p99_bytes: 99th percentile
-- column bytes: bytes
SELECT port, service_name(port, protocol) AS service, count(*) AS records, hdr_quantile(bytes, 0.5) AS median_bytes,
    hdr_quantile(bytes, 0.99) AS p99_bytes, sum(bytes) AS bytes
FROM flows
WHERE start >= $from AND start < $to AND outbound AND vantage <> 'transit' AND action = 'ACCEPT' AND port IS NOT NULL
GROUP BY port, protocol
ORDER BY bytes DESC NULLS LAST, port, protocol
LIMIT $limit
