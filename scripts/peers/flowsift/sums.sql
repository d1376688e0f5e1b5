SELECT count(*) n, sum(bytes) b, sum(packets) p FROM flows WHERE action = 'ACCEPT';
