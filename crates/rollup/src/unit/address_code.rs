//! Rules that need only the 4-byte codes of addresses and the numbers of texts, without a look into the interners.

use scan::{FIRST_INTERNED, NONE};

/// Returns whether a code or number stands for a value: it is not [`NONE`].
pub(crate) const fn has_value(code: u32) -> bool {
    code != NONE
}

/// Returns `[host, remote]`, given a value of each end as `[source, destination]`. The destination is the host of an
/// `ingress` record, the source that of any other. The function has no branch, so that loops over it are vectorised.
#[inline]
pub(crate) fn ends(ingress: bool, [source, destination]: [u32; 2]) -> [u32; 2] {
    // All bits that differ where the two change places, else none.
    let other = (source ^ destination) & u32::from(ingress).wrapping_neg();
    [source ^ other, destination ^ other]
}

/// Returns whether both codes are IPv4 addresses in one network of 16 bits, the largest that AWS gives a subnet. The
/// secondary addresses of an ENI and its pods lie in the ENI's subnet.
#[inline]
pub(crate) const fn may_share_subnet(a: u32, b: u32) -> bool {
    a < FIRST_INTERNED && b < FIRST_INTERNED && a >> 16 == b >> 16
}

/// Returns whether a code is a private IPv4 address: 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918) or
/// 100.64.0.0/10 (RFC 6598).
#[inline]
pub(crate) const fn is_private_v4(code: u32) -> bool {
    (code >> 24 == 10) | (code >> 20 == 0xac1) | (code >> 16 == 0xc0a8) | (code >> 22 == 0x191)
}
