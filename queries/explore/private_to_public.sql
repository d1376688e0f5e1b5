-- question: Which internal addresses talk to which public ones?
-- origin: AWS Security Analytics Bootstrap: search of private to public traffic
-- cost: records of the time asked for (`flows`), the columns named and no others
-- parameter from time = 1970-01-01: records that start at or after
-- parameter to time = 9999-12-31: records that start before
-- parameter limit integer = 50: rows at most
-- column private: internal address
-- column public: external address
-- column bytes_out: bytes to external addresses
-- column bytes_in: bytes from external addresses
-- column records: flow records
WITH sided AS (
    SELECT is_internal(srcaddr) AS out, srcaddr, dstaddr, bytes
    FROM flows
    WHERE start >= $from AND start < $to AND is_internal(srcaddr) <> is_internal(dstaddr)
)
SELECT CASE WHEN out THEN srcaddr ELSE dstaddr END AS private, CASE WHEN out THEN dstaddr ELSE srcaddr END AS public,
    coalesce(sum(bytes) FILTER (WHERE out), 0) AS bytes_out, coalesce(sum(bytes) FILTER (WHERE NOT out), 0) AS bytes_in,
    count(*) AS records
FROM sided
GROUP BY CASE WHEN out THEN srcaddr ELSE dstaddr END, CASE WHEN out THEN dstaddr ELSE srcaddr END
ORDER BY bytes_out + bytes_in DESC, private, public
LIMIT $limit
