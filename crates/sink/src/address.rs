//! Which addresses a request may go to. A name is resolved once, all its addresses are checked, and the connection goes
//! to one of those: a second look-up cannot lead elsewhere.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Which addresses may be reached besides public ones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reach {
    /// RFC 1918, 100.64.0.0/10 and fc00::/7.
    pub private: bool,
    /// This machine; also allows `http`.
    pub loopback: bool,
}

/// Why an address must not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Link-local, or one where clouds hand out credentials; never allowed.
    #[error("is link-local or that of a metadata service")]
    Metadata,
    /// A private one.
    #[error("is private, and private receivers are not allowed (--notify-private)")]
    Private,
    /// This machine.
    #[error("is this machine, and receivers on it are not allowed (--notify-loopback)")]
    Loopback,
    /// Multicast, documentation, reserved or unspecified.
    #[error("is no address of one machine")]
    Special,
}

/// Metadata services outside of link-local networks: AWS over IPv6, Alibaba, Azure's host, Oracle's and OpenStack's.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(192, 0, 0, 192)];
const METADATA_V6: [Ipv6Addr; 2] =
    [Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)];

impl Reach {
    /// Checks an address.
    ///
    /// # Errors
    /// [`Refused`] says why it must not be reached.
    pub fn check(self, address: IpAddr) -> Result<(), Refused> {
        match address {
            IpAddr::V4(address) => self.check_v4(address),
            IpAddr::V6(address) => match embedded(address) {
                Some(inside) => self.check_v4(inside),
                None => self.check_v6(address),
            },
        }
    }

    fn check_v4(self, address: Ipv4Addr) -> Result<(), Refused> {
        let [a, b, c, _] = address.octets();
        if address.is_link_local() || METADATA_V4.contains(&address) {
            return Err(Refused::Metadata);
        }
        if address.is_loopback() {
            return self.loopback.then_some(()).ok_or(Refused::Loopback);
        }
        if address.is_private() || (a == 100 && b & 0xc0 == 64) {
            return self.private.then_some(()).ok_or(Refused::Private);
        }
        let special = a == 0
            || a >= 224
            || address.is_documentation()
            || (a == 192 && b == 0 && c == 0)
            || (a == 192 && b == 88 && c == 99)
            || (a == 198 && b & 0xfe == 18);
        if special { Err(Refused::Special) } else { Ok(()) }
    }

    fn check_v6(self, address: Ipv6Addr) -> Result<(), Refused> {
        let first = address.segments()[0];
        if METADATA_V6.contains(&address) || first & 0xffc0 == 0xfe80 {
            return Err(Refused::Metadata);
        }
        if address.is_loopback() {
            return self.loopback.then_some(()).ok_or(Refused::Loopback);
        }
        if first & 0xfe00 == 0xfc00 {
            return self.private.then_some(()).ok_or(Refused::Private);
        }
        // Public addresses lie in 2000::/3; 2001:db8::/32 is for documents.
        let public = first & 0xe000 == 0x2000 && !(first == 0x2001 && address.segments()[1] == 0xdb8);
        if public { Ok(()) } else { Err(Refused::Special) }
    }
}

/// Returns the IPv4 address that an IPv6 address leads to: mapped, compatible, translated (64:ff9b::/96) or 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let of = |high: u16, low: u16| {
        let [p, q] = high.to_be_bytes();
        let [r, s] = low.to_be_bytes();
        Ipv4Addr::new(p, q, r, s)
    };
    match (a, b, c, d, e, f) {
        (0, 0, 0, 0, 0, 0xffff) | (0x64, 0xff9b, 0, 0, 0, 0) => Some(of(g, h)),
        // `::` and `::1` are of their own.
        (0, 0, 0, 0, 0, 0) if g != 0 => Some(of(g, h)),
        (0x2002, high, low, ..) => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: Reach, address: &str) -> Result<(), Refused> {
        reach.check(address.parse().unwrap())
    }

    #[test]
    fn only_public_addresses_are_reached_unless_allowed() {
        let none = Reach::default();
        for public in ["93.184.216.34", "2606:4700::1111", "100.128.0.1", "2002:5db8:d822::1"] {
            assert_eq!(check(none, public), Ok(()), "{public}");
        }
        let all = Reach { private: true, loopback: true };
        for metadata in ["169.254.169.254", "169.254.170.2", "fe80::1", "fd00:ec2::254", "100.100.100.200"] {
            assert_eq!(check(all, metadata), Err(Refused::Metadata), "{metadata}");
        }
        for embedded in ["::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::169.254.169.254"] {
            assert_eq!(check(all, embedded), Err(Refused::Metadata), "{embedded}");
        }
        for private in ["10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "fc00::1", "fd12::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(check(none, private), Err(Refused::Private), "{private}");
            assert_eq!(check(all, private), Ok(()), "{private}");
        }
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(check(none, loopback), Err(Refused::Loopback), "{loopback}");
            assert_eq!(check(all, loopback), Ok(()), "{loopback}");
        }
        for special in ["0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "::", "ff02::1", "198.18.0.1"] {
            assert_eq!(check(all, special), Err(Refused::Special), "{special}");
        }
    }
}
