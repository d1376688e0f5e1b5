//! IP addresses as 16-byte values, and networks in CIDR notation.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 address as one 128-bit number; IPv4 is kept v4-mapped (`::ffff:a.b.c.d`).
///
/// The order is numeric, so every IPv4 address sorts within one block of IPv6 space.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Address(u128);

const V4_MAPPED: u128 = 0xffff_0000_0000;

impl Address {
    /// Returns the address with a 128-bit number, in host byte order.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// Returns the 128-bit number of the address.
    pub const fn bits(self) -> u128 {
        self.0
    }

    /// Returns the address of an IPv4 address given as a 32-bit number.
    pub const fn from_v4_bits(bits: u32) -> Self {
        Self(V4_MAPPED | bits as u128)
    }

    /// Returns the address of 16 bytes in network order, as tables hold it.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }

    /// Returns the 16 bytes of the address in network order.
    pub const fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }

    /// Returns whether the address is IPv4.
    pub const fn is_v4(self) -> bool {
        self.0 >> 32 == 0xffff
    }

    /// Returns the IPv4 address as a 32-bit number, or `None` for IPv6.
    pub const fn v4_bits(self) -> Option<u32> {
        if self.is_v4() { Some(self.0 as u32) } else { None }
    }

    /// Parses an address from text; `None` when the text is not an address (such as `-`).
    ///
    /// Dotted IPv4 takes a fast path; everything else goes through the standard library.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= 7
            && text.len() <= 15
            && text[0].is_ascii_digit()
            && let Some(bits) = parse_v4(text)
        {
            return Some(Self::from_v4_bits(bits));
        }
        let text = std::str::from_utf8(text).ok()?;
        text.trim().parse::<IpAddr>().ok().map(Self::from)
    }

    /// Returns whether no remote of interest can have this address: multicast, broadcast, loopback, link-local and
    /// unspecified addresses.
    pub fn is_local_scope(self) -> bool {
        match IpAddr::from(self) {
            IpAddr::V4(v4) => {
                v4.is_multicast() || v4.is_broadcast() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified()
            }
            IpAddr::V6(v6) => {
                v6.is_multicast() || v6.is_loopback() || v6.is_unspecified() || v6.is_unicast_link_local()
            }
        }
    }
}

/// Parses dotted IPv4 text of 7 to 15 bytes; `None` when it is not exactly four decimal octets.
fn parse_v4(text: &[u8]) -> Option<u32> {
    let mut bits = 0u32;
    let mut octet = 0u32;
    let mut digits = 0;
    let mut dots = 0;
    for &byte in text {
        if byte == b'.' {
            if digits == 0 || dots == 3 {
                return None;
            }
            bits = (bits << 8) | octet;
            octet = 0;
            digits = 0;
            dots += 1;
        } else {
            let digit = byte.wrapping_sub(b'0');
            if digit > 9 || digits == 3 {
                return None;
            }
            octet = octet * 10 + u32::from(digit);
            digits += 1;
            if octet > 255 {
                return None;
            }
        }
    }
    if dots == 3 && digits > 0 { Some((bits << 8) | octet) } else { None }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self::from_v4_bits(v4.to_bits()),
            IpAddr::V6(v6) => Self(v6.to_bits()),
        }
    }
}

impl From<Address> for IpAddr {
    fn from(address: Address) -> Self {
        match address.v4_bits() {
            Some(bits) => IpAddr::V4(Ipv4Addr::from_bits(bits)),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.0)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        IpAddr::from(*self).fmt(f)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text is neither an address nor a network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an address or a network in CIDR notation (such as 10.0.0.0/8 or 2001:db8::/32)")]
pub struct InvalidNetwork {
    /// The text as given.
    pub text: String,
}

impl FromStr for Address {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes()).ok_or_else(|| InvalidNetwork { text: text.to_owned() })
    }
}

/// A block of addresses in CIDR notation, IPv4 or IPv6.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Network {
    first: Address,
    last: Address,
    prefix_len: u8,
}

impl Network {
    /// Returns the lowest address of the block.
    pub const fn first(&self) -> Address {
        self.first
    }

    /// Returns the highest address of the block.
    pub const fn last(&self) -> Address {
        self.last
    }

    /// Returns the prefix length as written: 0–32 for IPv4, 0–128 for IPv6.
    pub const fn prefix_len(&self) -> u8 {
        self.prefix_len
    }

    /// Returns whether the block contains `address`.
    pub fn contains(&self, address: Address) -> bool {
        self.first <= address && address <= self.last
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    /// Parses `address/length`, or a lone address as a block of one; host bits are cleared.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidNetwork { text: text.to_owned() };
        let (address, length) = match text.trim().split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (text.trim(), None),
        };
        let address: Address = address.parse().map_err(|_| invalid())?;
        let width: u8 = if address.is_v4() { 32 } else { 128 };
        let prefix_len = match length {
            Some(length) => length.parse::<u8>().ok().filter(|length| *length <= width).ok_or_else(invalid)?,
            None => width,
        };
        let host_bits = u32::from(width - prefix_len);
        let mask = if host_bits == 128 { u128::MAX } else { (1u128 << host_bits) - 1 };
        let first = address.bits() & !mask;
        Ok(Self { first: Address::from_bits(first), last: Address::from_bits(first | mask), prefix_len })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix_len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_what_the_standard_library_parses() {
        for text in ["0.0.0.0", "255.255.255.255", "10.1.2.3", "2001:db8::1", "::ffff:10.0.0.1", "::1"] {
            let ours = Address::parse(text.as_bytes());
            assert_eq!(ours, text.parse::<IpAddr>().ok().map(Address::from), "{text}");
        }
        for text in ["-", "", "None", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1..2.3", "1.2.3.4 x", "1.2.3.4444"] {
            assert_eq!(Address::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn shows_mapped_addresses_as_ipv4() {
        assert_eq!("::ffff:10.0.0.1".parse::<Address>().unwrap().to_string(), "10.0.0.1");
    }

    #[test]
    fn networks_hold_their_block_and_no_more() {
        let net: Network = "10.1.2.3/8".parse().unwrap();
        assert_eq!(net.to_string(), "10.0.0.0/8");
        assert!(net.contains("10.255.255.255".parse().unwrap()));
        assert!(!net.contains("11.0.0.0".parse().unwrap()));
        let all: Network = "::/0".parse().unwrap();
        assert!(all.contains("10.0.0.1".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("fc00::/7".parse::<Network>().unwrap().contains("fd12::1".parse().unwrap()));
    }
}
