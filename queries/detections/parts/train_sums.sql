summed AS (
    SELECT
        *,
        b['first_contact'] AS first_contact,
        b['bytes_out'] AS bytes_out,
        b['bytes_in'] AS bytes_in,
        b['packets_out'] AS packets_out,
        b['connections_answered'] AS connections
    FROM held
    WHERE b IS NOT NULL
),
