//! Numbers that flow logs use for protocols, TCP flags, paths and roles.

use std::fmt;

/// IANA protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IANA protocol number of TCP.
pub const TCP: u8 = 6;
/// IANA protocol number of UDP.
pub const UDP: u8 = 17;
/// IANA protocol number of ICMP for IPv6.
pub const ICMPV6: u8 = 58;

/// TCP flag bit FIN, as OR-ed over the aggregation window.
pub const FIN: u8 = 1;
/// TCP flag bit SYN.
pub const SYN: u8 = 2;
/// TCP flag bit RST.
pub const RST: u8 = 4;
/// TCP flag bit PSH; only transit gateways report it.
pub const PSH: u8 = 8;
/// TCP flag bit URG; only transit gateways report it.
pub const URG: u8 = 32;
/// TCP flag bit ACK; flow logs report it only together with SYN.
pub const ACK: u8 = 16;

/// Which side of a connection the monitored host is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Role {
    /// The host opened the connection.
    Client = 0,
    /// The host answered the connection.
    Server = 1,
}

impl Role {
    /// Returns the text used in tables and findings: `client` or `server`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Client => "client",
            Role::Server => "server",
        }
    }

    /// Parses the text used in tables.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "client" => Some(Role::Client),
            "server" => Some(Role::Server),
            _ => None,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Returns the usual name of an IANA protocol number, or the number itself as text.
pub fn protocol_name(protocol: u8) -> std::borrow::Cow<'static, str> {
    match protocol {
        ICMP => "icmp".into(),
        2 => "igmp".into(),
        4 => "ipip".into(),
        TCP => "tcp".into(),
        UDP => "udp".into(),
        41 => "ipv6".into(),
        47 => "gre".into(),
        50 => "esp".into(),
        51 => "ah".into(),
        ICMPV6 => "icmpv6".into(),
        132 => "sctp".into(),
        other => other.to_string().into(),
    }
}

/// Returns the names of TCP flag bits, in the order of their bits, such as `SYN ACK`; without any bit, an empty text.
pub fn tcp_flags_text(flags: u8) -> String {
    const NAMES: [(u8, &str); 6] = [(FIN, "FIN"), (SYN, "SYN"), (RST, "RST"), (PSH, "PSH"), (ACK, "ACK"), (URG, "URG")];
    let set = NAMES.iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| *name);
    set.collect::<Vec<_>>().join(" ")
}

/// Returns the description of a code of `traffic_path`, 1 to 8, or `None` for another code.
pub const fn traffic_path_text(code: i64) -> Option<&'static str> {
    Some(match code {
        1 => "same VPC",
        2 => "internet gateway or gateway VPC endpoint",
        3 => "virtual private gateway",
        4 => "peering within the region",
        5 => "peering between regions",
        6 => "local gateway",
        7 => "gateway VPC endpoint",
        8 => "internet gateway",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_and_paths_have_words() {
        assert_eq!([0, 2, 18, 3, 7, 255].map(tcp_flags_text)[..3], ["", "SYN", "SYN ACK"]);
        assert_eq!(tcp_flags_text(255), "FIN SYN RST PSH ACK URG");
        assert_eq!(traffic_path_text(8), Some("internet gateway"));
        assert_eq!((traffic_path_text(0), traffic_path_text(9)), (None, None));
    }
}
