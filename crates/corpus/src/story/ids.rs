//! Invented identifiers. Each follows from a number, so that labels and records agree without a table.

use std::fmt;

use crate::random::mix2;

/// Characters of base 32 as AWS writes them in ids.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Characters of ids that tell capitals from small letters, such as Okta's.
const ALPHANUMERIC: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn write_digits<const N: usize>(f: &mut fmt::Formatter<'_>, seed: u64, count: usize, digits: &[u8; N]) -> fmt::Result {
    let mut text = [0u8; 64];
    let mut bits = 0;
    for (place, digit) in text[..count].iter_mut().enumerate() {
        if place % 8 == 0 {
            bits = mix2(seed, place as u64 + 1);
        }
        *digit = digits[(bits % N as u64) as usize];
        bits /= N as u64;
    }
    f.write_str(std::str::from_utf8(&text[..count]).unwrap_or_default())
}

/// `N` hexadecimal digits, at most 64.
#[derive(Clone, Copy, Debug)]
pub struct Hex<const N: usize>(pub u64);

impl<const N: usize> fmt::Display for Hex<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, self.0, N, b"0123456789abcdef")
    }
}

/// `N` characters of base 32, at most 64.
#[derive(Clone, Copy, Debug)]
pub struct Base32<const N: usize>(pub u64);

impl<const N: usize> fmt::Display for Base32<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, self.0, N, BASE32)
    }
}

/// `N` letters and digits, at most 64.
#[derive(Clone, Copy, Debug)]
pub struct Alphanumeric<const N: usize>(pub u64);

impl<const N: usize> fmt::Display for Alphanumeric<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(f, self.0, N, ALPHANUMERIC)
    }
}

/// A random UUID: version 4, variant 1.
#[derive(Clone, Copy, Debug)]
pub struct Uuid(pub u64);

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (high, low) = (mix2(self.0, 0x75), mix2(self.0, 0x76));
        write!(
            f,
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            high >> 16 & 0xffff,
            high & 0xfff,
            low >> 48 & 0x3fff | 0x8000,
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_their_length_and_follow_from_their_number() {
        assert_eq!(Hex::<24>(7).to_string().len(), 24);
        assert_eq!(Base32::<16>(7).to_string(), Base32::<16>(7).to_string());
        assert_ne!(Alphanumeric::<20>(7).to_string(), Alphanumeric::<20>(8).to_string());
        let uuid = Uuid(9).to_string();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"));
        assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
    }
}
