-- A condition on `pairs`: a client's calls that were all rejected, or to which nothing came back but bare packets, such
-- as resets. Ports are reused within a window, so packets say more than connections do. A mean packet of 64 bytes
-- carries nothing; over IPv6, whose header is longer, 84.
(role = 'client' AND (rejected >= records
    OR protocol = 6 AND bytes_in <= 84 * packets_in AND bytes_out <= 84 * packets_out
        AND (bytes_in <= 64 * packets_in AND bytes_out <= 64 * packets_out
            OR NOT cidr_contains('0.0.0.0/0', remote))))
