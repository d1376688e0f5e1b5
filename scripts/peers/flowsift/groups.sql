SELECT count(*) g, sum(c) c, sum(b) b, sum(s) s, sum(e) e FROM (
  SELECT count(*) c, sum(bytes) b, CAST(min(start) AS BIGINT) s, CAST(max("end") AS BIGINT) e FROM flows
  WHERE flow_direction = 'egress' AND action = 'ACCEPT' GROUP BY srcaddr, dstaddr, dstport, protocol);
