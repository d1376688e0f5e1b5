-- An expression over a pair, or over the sums of several: what speaks for an implant beside the beat; NULL where nothing
-- does. A TLS server sends its certificate, so that smaller answers are another protocol, or a resumed session.
CASE
    WHEN protocol IN (6, 17) AND port NOT IN (20, 21, 22, 25, 43, 53, 80, 110, 123, 143, 443, 465, 500, 587, 853, 993, 995,
        1935, 3478, 4500, 5060, 5061, 5222, 5228, 5671, 5672, 8080, 8443, 8883, 9418, 11371, 19302, 51820)
        THEN 'the port is unusual'
    -- Where answers are not logged, their size says nothing.
    WHEN unheard AND port <> 53 THEN NULL
    WHEN protocol = 6 AND port IN (443, 465, 853, 993, 995, 5061, 5671, 8443, 8883) AND bytes_in < 3000 * connections
        THEN 'the answers are too small for TLS'
    WHEN protocol = 6 AND bytes_in < 2000 * connections AND bytes_out > bytes_in
        THEN 'each call sends more than the little it gets'
    WHEN protocol = 6 AND bytes_in < 2000 * connections AND connections >= 500
        THEN 'hundreds of calls get next to nothing'
    WHEN port = 53 AND bytes_out >= 110 * packets_out THEN 'the questions are too large for look-ups'
END
