//! Direction: which side sent a record's packets, and which opened the connection.

use super::codes::{ACK, SYN};

/// One end of a flow record as it was sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The sender of the record's packets.
    Source,
    /// The receiver of the record's packets.
    Destination,
}

/// Returns which side opened a connection, judged by the TCP flags of one record, OR-ed over its window.
///
/// SYN without ACK comes from the opener; SYN with ACK comes from the side that answers. Flags of windows in the middle
/// of a connection are not conclusive.
pub const fn opener(tcp_flags: u8) -> Option<Side> {
    match tcp_flags & (SYN | ACK) {
        SYN => Some(Side::Source),
        flags if flags == SYN | ACK => Some(Side::Destination),
        _ => None,
    }
}

/// First port of the range from which Linux takes client ports; other systems take them from its upper part.
pub const EPHEMERAL_PORTS_FROM: u16 = 32_768;

/// What is known of one 4-tuple between a host and a remote before its service port is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ends {
    /// Port on the host.
    pub host_port: u16,
    /// Port on the remote.
    pub remote_port: u16,
    /// The host sent SYN without ACK, or the remote sent SYN with ACK.
    pub host_opened: bool,
    /// The remote sent SYN without ACK, or the host sent SYN with ACK.
    pub remote_opened: bool,
    /// How many different remote ports this host port met at this remote.
    pub host_port_fan: u32,
    /// How many different host ports this remote port met from this host.
    pub remote_port_fan: u32,
    /// The host's first packet came before the remote's first (`Some(true)`), after it, or in the same second (`None`).
    pub host_first: Option<bool>,
}

impl Ends {
    /// Returns whether the host is the client, that is, whether the service port is the remote's.
    ///
    /// In order of trust: TCP flags; the port that met more counterparts is the service; a port below 1024 against one
    /// above; a port below the ephemeral range (32768) against one inside it; which side sent first; the lower port.
    /// Equal ports (NTP, IKE, ICMP) make the host the client.
    pub const fn host_is_client(&self) -> bool {
        if self.host_opened != self.remote_opened {
            return self.host_opened;
        }
        if self.host_port_fan != self.remote_port_fan {
            return self.remote_port_fan > self.host_port_fan;
        }
        if (self.host_port < 1_024) != (self.remote_port < 1_024) {
            return self.remote_port < 1_024;
        }
        if (self.host_port < EPHEMERAL_PORTS_FROM) != (self.remote_port < EPHEMERAL_PORTS_FROM) {
            return self.remote_port < EPHEMERAL_PORTS_FROM;
        }
        if let Some(host_first) = self.host_first {
            return host_first;
        }
        self.remote_port <= self.host_port
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::FIN;

    const ENDS: Ends = Ends {
        host_port: 40_000,
        remote_port: 443,
        host_opened: false,
        remote_opened: false,
        host_port_fan: 1,
        remote_port_fan: 1,
        host_first: None,
    };

    #[test]
    fn flags_tell_the_opener() {
        assert_eq!(opener(SYN | FIN), Some(Side::Source));
        assert_eq!(opener(SYN | ACK | FIN), Some(Side::Destination));
        assert_eq!(opener(FIN), None);
        assert_eq!(opener(0), None);
    }

    #[test]
    fn flags_beat_ports() {
        assert!(ENDS.host_is_client());
        assert!(!Ends { remote_opened: true, ..ENDS }.host_is_client());
        // An old client with a low ephemeral port against a high service port.
        let odd = Ends { host_port: 1_050, remote_port: 13_606, ..ENDS };
        assert!(!odd.host_is_client());
        assert!(Ends { host_opened: true, ..odd }.host_is_client());
        assert!(Ends { remote_port_fan: 20, ..odd }.host_is_client());
        assert!(Ends { host_first: Some(true), ..odd }.host_is_client());
    }

    #[test]
    fn equal_ports_make_the_host_the_client() {
        assert!(Ends { host_port: 123, remote_port: 123, ..ENDS }.host_is_client());
    }
}
