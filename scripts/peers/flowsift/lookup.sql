SELECT * FROM flows WHERE hour = '$hour' AND (srcaddr = '$host' OR dstaddr = '$host');
