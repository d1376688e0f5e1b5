-- title: Flood of packets to one remote
-- what: packets at the rate of a flood with nothing coming back, and amplifiers
-- severity follows: rate, habit in the baseline
-- techniques: T1498 T1499
-- about: A host sent packets to one remote at a rate that only a flood needs and that hardly any packet came back for;
-- about: or it answered small requests with so much, over protocols known for it, that it serves as an amplifier.
-- about: Uploads do not look like that: their acknowledgements come back. One-way telemetry does, and is lowered.
-- about: Where the log has one direction only, every stream does, and nothing is told.
-- parameter min_packets_per_hour = 500000: packets out in a mean active hour; fewer are never reported
-- parameter many_packets_per_hour = 5000000: packets out in a mean active hour from which severity is high
-- parameter most_answer_share = 0.05: packets in for each packet out, at most
-- parameter most_tcp_packet_bytes = 120: bytes of a mean packet out, at most, of a flood over TCP
-- parameter min_amplification = 10: bytes out for each byte in, at least, of an amplifier
WITH floods AS (
    SELECT
        *,
        CAST(packets_out AS DOUBLE) / greatest(active_hours, 1) AS packets_per_hour,
        role = 'server' AS amplifies
    FROM pairs
    WHERE external AND NOT local_scope
        AND packets_out >= $min_packets_per_hour * greatest(active_hours, 1)
        AND (
            role = 'client' AND packets_in <= $most_answer_share * packets_out
                -- Where the log has one direction only, every stream looks like this.
                AND NOT (one_way AND packets_in = 0)
                -- Offloading merges acknowledgements, so an upload over TCP may get few packets back; its packets are
                -- full.
                AND (protocol <> 6 OR bytes_out <= $most_tcp_packet_bytes * packets_out)
            OR role = 'server' AND protocol = 17
                AND port IN (17, 19, 53, 69, 111, 123, 137, 161, 389, 1900, 3702, 5353, 11211)
                AND bytes_out >= $min_amplification * bytes_in AND NOT (one_way AND packets_in = 0)
        )
)
SELECT
    CASE
        WHEN role = 'client' AND protocol = 17 AND port IN (514, 2055, 4739, 6343, 8125, 12201) THEN 'low'
        WHEN first_contact IS FALSE THEN 'low'
        WHEN packets_per_hour >= $many_packets_per_hour THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.5 + ln(packets_per_hour / $min_packets_per_hour) / 10) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    packets_per_hour,
    packets_out, packets_in,
    bytes_out, bytes_in,
    CAST(bytes_out AS DOUBLE) / packets_out AS bytes_per_packet,
    active_hours, connections, rejected,
    first_contact,
    network_owner(remote) AS network_owner,
    aws_service,
    concat(
        ip(host), ' sent ', CAST(packets_out AS VARCHAR), ' packets (', human_bytes(bytes_out), ') to ', ip(remote),
        ' on ',
        protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ' within ',
        human_duration(CAST(last_seen AS BIGINT) - CAST(first_seen AS BIGINT)), ' and got ',
        CAST(packets_in AS VARCHAR), ' back',
        CASE WHEN amplifies
            THEN concat('; it answers with ', CAST(bytes_out / greatest(bytes_in, 1) AS VARCHAR),
                ' times what it is asked') ELSE '' END, '.',
        CASE
            WHEN role = 'client' AND protocol = 17 AND port IN (514, 2055, 4739, 6343, 8125, 12201)
                THEN ' Lowered: logs and measurements are sent like this.'
            WHEN first_contact IS FALSE THEN ' Lowered: the baseline has it.' ELSE '' END
    ) AS explanation
FROM floods
