-- Contacts with the addresses of one kind of list: a complete query.
WITH
-- include: hits
SELECT
    CASE
        WHEN role = 'server' THEN 'informational'
        WHEN rejected >= records THEN $rejected_severity
        ELSE 'high'
    END AS severity,
    least(1.0, coalesce(hit['confidence'], 50) / 100.0 * 0.8
        + CASE WHEN hit['port_matched'] THEN 0.2 ELSE 0.1 END) AS score,
    account_id, region, host, remote, port, protocol, role, interface_id, first_seen, last_seen,
    hit['source'] AS indicator_source,
    hit['indicator'] AS indicator,
    hit['port_matched'] AS port_matched,
    hit['confidence'] AS confidence,
    hit['malware'] AS malware,
    connections, rejected, bytes_out, bytes_in, longest_s,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    concat(
        CASE WHEN role = 'client' THEN concat(ip(host), ' contacted ', ip(remote))
            ELSE concat(ip(remote), ' contacted ', ip(host)) END,
        ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ', ', $listed_as, ' by ', hit['source'], ': ',
        CAST(connections AS VARCHAR), ' connections, ', human_bytes(bytes_out), ' out, ', human_bytes(bytes_in), ' in',
        CASE WHEN rejected >= records THEN ', all rejected' ELSE '' END, '.'
    ) AS explanation
FROM hits
WHERE hit IS NOT NULL AND coalesce(hit['confidence'], 50) >= $min_confidence
