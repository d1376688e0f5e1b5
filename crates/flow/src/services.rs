//! Names of the services behind well-known ports.

use super::codes::{TCP, UDP};

/// Ports with the name of their service, sorted by port; most are IANA's names, some are common usage.
const BOTH: &[(u16, &str)] = &[
    (22, "ssh"),
    (53, "dns"),
    (88, "kerberos"),
    (111, "rpcbind"),
    (123, "ntp"),
    (161, "snmp"),
    (162, "snmptrap"),
    (389, "ldap"),
    (443, "https"),
    (464, "kpasswd"),
    (500, "ike"),
    (514, "syslog"),
    (1194, "openvpn"),
    (2049, "nfs"),
    (3478, "stun"),
    (4789, "vxlan"),
    (5060, "sip"),
    (5353, "mdns"),
    (11211, "memcached"),
];

const ONLY_TCP: &[(u16, &str)] = &[
    (20, "ftp-data"),
    (21, "ftp"),
    (23, "telnet"),
    (25, "smtp"),
    (80, "http"),
    (110, "pop3"),
    (135, "msrpc"),
    (139, "netbios-ssn"),
    (143, "imap"),
    (179, "bgp"),
    (445, "smb"),
    (465, "smtps"),
    (587, "submission"),
    (636, "ldaps"),
    (853, "dns-over-tls"),
    (873, "rsync"),
    (993, "imaps"),
    (995, "pop3s"),
    (1433, "mssql"),
    (1521, "oracle"),
    (1723, "pptp"),
    (1883, "mqtt"),
    (2181, "zookeeper"),
    (2375, "docker"),
    (2376, "docker-tls"),
    (2379, "etcd"),
    (3000, "http-dev"),
    (3128, "http-proxy"),
    (3306, "mysql"),
    (3389, "rdp"),
    (4444, "metasploit"),
    (5432, "postgresql"),
    (5439, "redshift"),
    (5601, "kibana"),
    (5671, "amqps"),
    (5672, "amqp"),
    (5900, "vnc"),
    (5985, "winrm"),
    (5986, "winrm-tls"),
    (6379, "redis"),
    (6443, "kubernetes"),
    (6667, "irc"),
    (8080, "http-alt"),
    (8126, "datadog-trace"),
    (8443, "https-alt"),
    (8883, "mqtts"),
    (9000, "http-alt"),
    (9042, "cassandra"),
    (9090, "prometheus"),
    (9092, "kafka"),
    (9100, "node-exporter"),
    (9200, "elasticsearch"),
    (9300, "elasticsearch-node"),
    (10250, "kubelet"),
    (15672, "rabbitmq"),
    (27017, "mongodb"),
    (50051, "grpc"),
];

const ONLY_UDP: &[(u16, &str)] = &[
    (67, "dhcp"),
    (68, "dhcp"),
    (69, "tftp"),
    (137, "netbios-ns"),
    (138, "netbios-dgm"),
    (1900, "ssdp"),
    (4500, "ipsec-nat"),
    (8125, "statsd"),
    (51820, "wireguard"),
];

/// Returns the usual name of the service on a port, or `None` when the port has none.
///
/// `protocol` is the IANA number; only TCP and UDP have ports with names here.
pub fn service_name(port: u16, protocol: u8) -> Option<&'static str> {
    let own = match protocol {
        TCP => ONLY_TCP,
        UDP => ONLY_UDP,
        _ => return None,
    };
    let find = |names: &[(u16, &'static str)]| {
        names.binary_search_by_key(&port, |(port, _)| *port).ok().map(|index| names[index].1)
    };
    find(BOTH).or_else(|| find(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_and_names_are_found() {
        for names in [BOTH, ONLY_TCP, ONLY_UDP] {
            assert!(names.is_sorted_by(|a, b| a.0 < b.0));
        }
        assert_eq!(service_name(443, TCP), Some("https"));
        assert_eq!(service_name(443, UDP), Some("https"));
        assert_eq!(service_name(3389, TCP), Some("rdp"));
        assert_eq!(service_name(3389, UDP), None);
        assert_eq!(service_name(51820, UDP), Some("wireguard"));
        assert_eq!(service_name(22, 1), None);
        assert_eq!(service_name(50_000, TCP), None);
    }
}
