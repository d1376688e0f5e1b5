CREATE TABLE t AS SELECT srcaddr s, dstaddr d, CAST(start AS BIGINT) / 3600 h, count(*) c, sum(bytes) b FROM flows
  WHERE flow_direction = 'egress' AND is_internal(srcaddr) AND NOT is_internal(dstaddr) GROUP BY 1, 2, 3;
WITH h AS (SELECT s, h, sum(c) c, sum(b) b FROM t GROUP BY s, h),
  hh AS (SELECT s, sum(c) flows, sum(b) bytes, max(b) mh FROM h GROUP BY s),
  nd AS (SELECT s, count(*) nd FROM (SELECT DISTINCT s, d FROM t) GROUP BY s),
  p AS (SELECT s, d, sum(c) pf, sum(b) pb FROM t GROUP BY s, d),
  rr AS (SELECT d, count(*) nh, sum(pb) db FROM p GROUP BY d HAVING count(*) <= 2 AND sum(pb) > 100000000)
SELECT p.s, p.d, pb, pf, nh, db, bytes, nd, mh FROM p JOIN rr ON p.d = rr.d JOIN hh ON p.s = hh.s JOIN nd ON p.s = nd.s
ORDER BY db DESC, p.d, p.s LIMIT 100;
