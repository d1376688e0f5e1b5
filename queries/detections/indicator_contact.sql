-- title: Contact with a listed address
-- what: contact with addresses and networks on feeds: plain lists, CIDR lists, Feodo Tracker CSV or JSON, Spamhaus DROP, with their times of validity
-- severity follows: port match, role, whether it got through
-- techniques: T1071
-- needs: indicators
-- about: Traffic with an address or network on one of the feeds, within the indicator's time of validity. A listed
-- about: address that was only rejected, or that merely knocked from outside, is weaker evidence. Lists of Tor relays
-- about: and of mining pools, told by their names, have detections of their own. Rejected knocks from outside, fewer than three an hour from an address, are
-- about: summed up without their addresses, which are therefore not looked up: `flows` has them.
-- parameter min_confidence = 0: 0 to 100; feeds' entries below are left out
-- parameter list = other: the kind of list: neither Tor nor mining
WITH
-- include: hits
SELECT
    CASE
        WHEN rejected >= records THEN CASE WHEN role = 'client' THEN 'medium' ELSE 'informational' END
        WHEN role = 'server' THEN 'low'
        WHEN hit['port_matched'] THEN 'critical'
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
    connections, rejected, bytes_out, bytes_in,
    prevalence_hosts,
    first_contact,
    network_owner(remote) AS network_owner,
    concat(
        CASE WHEN role = 'client' THEN concat(ip(host), ' contacted ', ip(remote))
            ELSE concat(ip(remote), ' contacted ', ip(host)) END,
        ' on ', protocol_name(protocol), ' port ', CAST(port AS VARCHAR), ', listed by ', hit['source'],
        CASE WHEN hit['malware'] IS NOT NULL THEN concat(' as ', hit['malware']) ELSE '' END,
        ': ', CAST(connections AS VARCHAR), ' connections, ', human_bytes(bytes_out), ' out, ', human_bytes(bytes_in),
        ' in',
        CASE WHEN rejected >= records THEN ', all rejected' ELSE '' END, '.'
    ) AS explanation
FROM hits
WHERE hit IS NOT NULL AND coalesce(hit['confidence'], 50) >= $min_confidence
