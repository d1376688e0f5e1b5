CREATE TABLE t AS SELECT srcaddr s, dstaddr d, CAST(start AS BIGINT) / 3600 h, count(*) c, sum(bytes) b FROM flows
  WHERE flow_direction = 'egress' AND is_internal(srcaddr) AND NOT is_internal(dstaddr) GROUP BY 1, 2, 3;
WITH h AS (SELECT s, h, sum(c) c, sum(b) b FROM t GROUP BY s, h),
  hh AS (SELECT s, sum(c) flows, sum(b) bytes, max(b) mh FROM h GROUP BY s),
  nd AS (SELECT s, count(*) nd FROM (SELECT DISTINCT s, d FROM t) GROUP BY s)
SELECT s, flows, bytes, nd, mh FROM hh JOIN nd USING (s);
