-- title: Password guessing
-- what: many short connections to SSH, RDP, WinRM and other logins, and a long one after them
-- severity follows: direction, habit in the baseline
-- techniques: T1110 T1021
-- about: Many short connections of one pair to a login service (SSH, RDP, WinRM, Telnet, FTP, VNC, databases): each
-- about: is about as long as a refused login. From the Internet they are background noise unless a long connection
-- about: followed; from inside they are lateral movement, or a deployment tool that the baseline knows.
-- parameter min_attempts = 30: connections of a pair that were not rejected; fewer are never reported
-- parameter min_per_hour = 20: connections in a mean active hour
-- parameter most_bytes_out = 12000: bytes that the client sent in a mean connection: a login that gets in sends more
-- parameter most_bytes_in = 20000: bytes that the client got in a mean connection
-- parameter session_s = 300: seconds; a connection of at least so long after so many short ones may be a success
WITH logins AS (
    SELECT
        *,
        CASE WHEN role = 'client' THEN bytes_out ELSE bytes_in END AS client_bytes,
        CASE WHEN role = 'client' THEN bytes_in ELSE bytes_out END AS server_bytes
    FROM pairs
    WHERE port IN (21, 22, 23, 1433, 3306, 3389, 5432, 5900, 5985, 5986) AND protocol = 6
        AND connections >= $min_attempts AND rejected < records AND NOT local_scope AND NOT mirrored
),
guesses AS (
    SELECT
        *,
        longest_s >= $session_s AS long_session,
        -- The last connection is the long one: it came after the others.
        CAST(last_seen AS BIGINT) - starts[-1] >= $session_s AS long_last,
        CASE port
            WHEN 21 THEN 'FTP' WHEN 22 THEN 'SSH' WHEN 23 THEN 'Telnet' WHEN 1433 THEN 'SQL Server'
            WHEN 3306 THEN 'MySQL'
            WHEN 3389 THEN 'RDP' WHEN 5432 THEN 'PostgreSQL' WHEN 5900 THEN 'VNC' ELSE 'WinRM'
        END AS service
    FROM logins
    WHERE connections >= $min_per_hour * active_hours
        -- A refused login costs both sides some packets; a closed or silent port does not.
        AND server_bytes >= 200 * connections
        AND (client_bytes <= $most_bytes_out * connections AND server_bytes <= $most_bytes_in * connections
            -- Traffic of a session after the guesses raises the means; the typical connection is still a guess.
            OR longest_s >= $session_s AND CAST(last_seen AS BIGINT) - starts[-1] >= $session_s
                AND typical_size(sizes) BETWEEN 200 AND CASE WHEN role = 'client' THEN $most_bytes_out
                    ELSE $most_bytes_in END)
)
SELECT
    CASE
        WHEN role = 'server' AND external
            THEN CASE WHEN long_session AND first_contact THEN 'medium' WHEN long_session THEN 'low'
                ELSE 'informational' END
        WHEN first_contact IS FALSE THEN 'low'
        WHEN port IN (1433, 3306, 5432) THEN CASE WHEN first_contact THEN 'medium' ELSE 'informational' END
        WHEN first_contact THEN 'high'
        ELSE 'medium'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(connections AS DOUBLE) / $min_attempts) / 10
        + CASE WHEN long_session THEN 0.2 ELSE 0.0 END) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    service,
    connections AS attempts,
    CAST(connections AS DOUBLE) / active_hours AS attempts_per_hour,
    CAST(client_bytes AS DOUBLE) / connections AS client_bytes_per_attempt,
    CAST(server_bytes AS DOUBLE) / connections AS server_bytes_per_attempt,
    longest_s, active_hours,
    bytes_out, bytes_in, rejected,
    first_contact,
    network_owner(remote) AS network_owner,
    concat(
        CASE WHEN role = 'client'
            THEN concat(ip(host), ' opened ', CAST(connections AS VARCHAR), ' short ', service, ' connections to ',
                ip(remote))
            ELSE concat(ip(remote), ' opened ', CAST(connections AS VARCHAR), ' short ', service, ' connections to ',
                ip(host)) END,
        ' in ', CAST(active_hours AS VARCHAR), CASE WHEN active_hours = 1 THEN ' hour' ELSE ' hours' END,
        ', about as much each as a refused login',
        CASE
            WHEN long_session AND long_last
                THEN concat('; one connection then lasted ', human_duration(longest_s),
                    ', so a guess may have been right')
            WHEN long_session
                THEN concat('; one connection lasted ', human_duration(longest_s),
                    ': if it came after them, a guess may have been right')
            ELSE ''
        END,
        CASE WHEN first_contact THEN '; the pair is new' ELSE '' END, '.',
        CASE
            WHEN role = 'server' AND external AND NOT long_session
                THEN ' Lowered: the Internet guesses at every open port.'
            WHEN first_contact IS FALSE THEN ' Lowered: the baseline has it, as deployment tools do.'
            WHEN port IN (1433, 3306, 5432) AND first_contact IS NULL
                THEN ' Lowered: applications without a pool connect to databases like this.'
            ELSE '' END
    ) AS explanation
FROM guesses
