-- A condition on `pairs`: a client's calls that were all rejected, or to which nothing came back but resets. Ports are
-- reused within a window, so packets say more than connections do. A reset has 40 bytes, over IPv6 60; a SYN has
-- up to 64, over IPv6 84. A server that accepts sends a SYN too, which is larger than a reset. Where the log has one
-- direction only, silence proves nothing.
(role = 'client' AND (rejected >= records
    OR protocol = 6 AND packets_in <= packets_out AND NOT (one_way AND packets_in = 0) AND (
        (packets_in = 0 OR bytes_in < 44 * packets_in) AND bytes_out <= 64 * packets_out
        OR NOT cidr_contains('0.0.0.0/0', remote)
            AND (packets_in = 0 OR bytes_in < 64 * packets_in) AND bytes_out <= 84 * packets_out)))
