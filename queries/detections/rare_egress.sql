-- title: Upload to rare remotes
-- what: the sum that a host uploads to remotes that hardly anyone uses: splitting does not hide it, and an even drip over hours is recognised
-- severity follows: volume, evenness, first contact
-- techniques: T1048 T1041 T1030
-- about: The sum of what a host sent, as a client, to remotes that hardly any host talks to or that are new. The sum
-- about: is what counts, so neither splitting over many addresses nor a slow drip hides it. Only remotes that got
-- about: more than they sent are added: downloads are no exfiltration. Tens of megabytes count where hosts send kilobytes:
-- about: if one remote that at most two hosts call got nearly all of them, and they are a hundred times what the median
-- about: host sends, most of the host's own, and far beyond its fullest hour.
-- once: beyond
-- parameter floor_bytes = 100000000: bytes to rare remotes in the window from which they are always reported
-- parameter small_floor_bytes = 10000000: bytes to rare remotes in the window; less is never reported
-- parameter peer_times = 100: times what the median host sent out in the window, at least, for less than floor_bytes to be reported
-- parameter own_share = 0.5: share of all that the host sent out, at least, for less than floor_bytes to be reported
-- parameter own_times = 10: times the fullest hour of the host's history, at least, for the same
-- parameter high_bytes = 1000000000: bytes from which severity is high
-- parameter drip_hours = 8: hours; a remote fed evenly over at least so many is a drip, high from floor_bytes on
-- parameter drip_evenness = 3: the fullest hour of a drip holds at most so many times its mean hour
-- parameter drip_hour_bytes = 1000000: bytes in the mean active hour of a drip, at least: a poller's small change is none
-- parameter upload_ratio = 2: a remote counts when it got at least so many times the bytes it sent
-- parameter recurring_days = 4: days with the same full hour from which a window without history shows a habit, if they are most
-- parameter few_hosts = 10: hosts with egress; with fewer there is nobody to compare with, and severity ends at medium
-- parameter rare_hosts = 5: hosts; a remote met by no more, and by no more than rare_share, is rare
-- parameter rare_share = 0.02: share of hosts; never less than two hosts
WITH rare AS (
    SELECT
        *,
        active_hours >= $drip_hours AND bytes_out >= $floor_bytes AND bytes_out >= $drip_hour_bytes * active_hours
            AND prevalence_hosts <= 2
            AND max_hour_bytes_out * active_hours <= $drip_evenness * bytes_out AS drip
    FROM pairs
    WHERE external AND role = 'client'
        AND (prevalence_hosts <= greatest(2, least($rare_hosts, $rare_share * $hosts)) OR first_contact)
        AND CAST(bytes_out AS DOUBLE) >= $upload_ratio * CAST(bytes_in AS DOUBLE)
        AND (aws_service IS NULL OR aws_service IN ('EC2', 'AMAZON'))
),
sums AS (
    SELECT
        account_id, region, host,
        sum(bytes_out) AS bytes_out,
        max(CASE WHEN prevalence_hosts <= 2 THEN bytes_out ELSE 0 END) AS one_bytes_out,
        sum(bytes_in) AS bytes_in,
        max(active_hours) AS active_hours,
        min(first_seen) AS first_seen,
        max(last_seen) AS last_seen,
        bool_or(first_contact) AS any_first,
        bool_or(drip) AS drip
    FROM rare
    GROUP BY account_id, region, host
),
-- Most hosts send nothing to rare remotes, so those that do are compared with each other.
centred AS (
    SELECT *, median(ln(1 + CAST(bytes_out AS DOUBLE))) OVER () AS median_ln FROM sums
),
spread AS (
    SELECT *, median(abs(ln(1 + CAST(bytes_out AS DOUBLE)) - median_ln)) OVER () AS mad_ln FROM centred
),
peers AS (
    SELECT median(CAST(bytes_out AS DOUBLE)) AS median_bytes FROM hosts WHERE destinations > 0
),
-- What hosts with less than floor_bytes sent in all, and their fullest hour before the window.
own AS (
    SELECT
        s.account_id, s.region, s.host,
        sum(CASE WHEN h.in_window THEN h.bytes_out ELSE 0 END) AS own_bytes_out,
        max(CASE WHEN h.in_window THEN 0 ELSE h.bytes_out END) AS own_max_hour
    FROM spread s
    JOIN host_hours h ON h.account_id = s.account_id AND h.region = s.region AND h.host = s.host
    WHERE s.bytes_out >= $small_floor_bytes AND s.bytes_out < $floor_bytes AND $hosts >= $few_hosts
    GROUP BY s.account_id, s.region, s.host
),
small AS (
    SELECT o.account_id, o.region, o.host
    FROM own o
    JOIN spread s ON s.account_id = o.account_id AND s.region = o.region AND s.host = o.host
    CROSS JOIN peers p
    WHERE CAST(s.bytes_out AS DOUBLE) >= $peer_times * p.median_bytes AND 10 * s.one_bytes_out >= 9 * s.bytes_out
        AND CAST(s.bytes_out AS DOUBLE) >= $own_share * CAST(o.own_bytes_out AS DOUBLE)
        AND CAST(s.bytes_out AS DOUBLE) >= $own_times * CAST(o.own_max_hour AS DOUBLE)
),
beyond AS (
    SELECT s.*, robust_z(ln(1 + CAST(bytes_out AS DOUBLE)), median_ln, mad_ln) AS z,
        exp(median_ln) - 1 AS peer_median_bytes
    FROM spread s
    LEFT JOIN small m ON m.account_id = s.account_id AND m.region = s.region AND m.host = s.host
    WHERE s.bytes_out >= $floor_bytes OR m.host IS NOT NULL
),
-- include: recurring
-- The remotes of those hosts alone; a remote counts once, whatever its ports.
taken AS (
    SELECT
        r.account_id, r.region, r.host, r.remote,
        sum(r.bytes_out) AS remote_bytes_out,
        count(*) AS ports,
        min(r.port) AS port,
        min(r.protocol) AS protocol,
        min(r.interface_id) AS interface_id,
        max(r.prevalence_hosts) AS prevalence_hosts
    FROM beyond s
    JOIN rare r ON r.account_id = s.account_id AND r.region = s.region AND r.host = s.host
    GROUP BY r.account_id, r.region, r.host, r.remote
),
-- The first is named, five are listed.
ranked AS (
    SELECT
        s.*,
        n.recurs, n.days_alike, n.days_seen,
        count(*) OVER (PARTITION BY s.account_id, s.region, s.host) AS remotes,
        t.remote, t.remote_bytes_out, t.interface_id, t.prevalence_hosts,
        CASE WHEN t.ports = 1 THEN t.port END AS port,
        CASE WHEN t.ports = 1 THEN t.protocol END AS protocol,
        row_number() OVER most AS nth,
        make_array(
            ip(t.remote), lead(ip(t.remote), 1) OVER most, lead(ip(t.remote), 2) OVER most,
            lead(ip(t.remote), 3) OVER most, lead(ip(t.remote), 4) OVER most
        ) AS top_remotes
    FROM beyond s
    JOIN recurring n ON n.account_id = s.account_id AND n.region = s.region AND n.host = s.host
    JOIN taken t ON t.account_id = s.account_id AND t.region = s.region AND t.host = s.host
    WINDOW most AS (PARTITION BY s.account_id, s.region, s.host ORDER BY t.remote_bytes_out DESC, t.remote)
)
SELECT
    CASE
        WHEN $hosts < $few_hosts THEN CASE WHEN bytes_out >= $high_bytes OR drip THEN 'medium' ELSE 'low' END
        WHEN bytes_out >= $high_bytes OR drip
            THEN CASE WHEN any_first IS FALSE OR (any_first IS NULL AND recurs) THEN 'medium' ELSE 'high' END
        WHEN any_first THEN 'medium'
        ELSE 'low'
    END AS severity,
    least(1.0, 0.4 + ln(CAST(bytes_out AS DOUBLE) / $floor_bytes) / 10 + least(greatest(z, 0), 20) / 50) AS score,
    account_id, region, host,
    CASE WHEN 10 * remote_bytes_out >= 9 * bytes_out THEN remote END AS remote,
    CASE WHEN 10 * remote_bytes_out >= 9 * bytes_out THEN port END AS port,
    CASE WHEN 10 * remote_bytes_out >= 9 * bytes_out THEN protocol END AS protocol,
    'client' AS role,
    interface_id,
    first_seen, last_seen,
    bytes_out, bytes_in, remotes AS destinations, active_hours, drip, recurs, days_alike, days_seen,
    z AS robust_z,
    CAST(peer_median_bytes AS BIGINT) AS peer_median_bytes,
    top_remotes,
    prevalence_hosts,
    any_first AS first_contact,
    network_owner(remote) AS network_owner,
    concat(
        ip(host), ' sent ', human_bytes(bytes_out), ' to ', CAST(remotes AS VARCHAR),
        CASE WHEN remotes = 1 THEN ' rare remote' ELSE ' rare remotes' END,
        ' and got ', human_bytes(bytes_in), ' back; ',
        CASE WHEN remotes = 1 THEN 'all went to ' WHEN 2 * remote_bytes_out > bytes_out THEN 'most went to '
            ELSE concat(human_bytes(remote_bytes_out), ' of it, the largest part, went to ') END,
        ip(remote), CASE WHEN port IS NULL THEN '' ELSE concat(' port ', CAST(port AS VARCHAR)) END,
        CASE WHEN $hosts >= $few_hosts
            THEN concat('; hosts that use such remotes sent ', human_bytes(peer_median_bytes), ' in the median')
            ELSE '' END,
        CASE WHEN drip THEN concat('; it flows evenly over ', CAST(active_hours AS VARCHAR), ' hours') ELSE '' END, '.',
        CASE WHEN any_first IS NULL AND recurs
            THEN concat(' It did so at the same hour on ', CAST(days_alike AS VARCHAR), ' of ',
                CAST(days_seen AS VARCHAR), ' days.') ELSE '' END
    ) AS explanation
FROM ranked
WHERE nth = 1
