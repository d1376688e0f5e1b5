//! IPv4 addresses to text and back, where the text must survive unchanged.

/// The digits of an octet, and how many there are.
const OCTETS: [([u8; 3], u8); 256] = {
    let mut octets = [([0; 3], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let (hundreds, tens, ones) = ((octet / 100) as u8, (octet / 10 % 10) as u8, (octet % 10) as u8);
        octets[octet] = match octet {
            0..10 => ([b'0' + ones, 0, 0], 1),
            10..100 => ([b'0' + tens, b'0' + ones, 0], 2),
            _ => ([b'0' + hundreds, b'0' + tens, b'0' + ones], 3),
        };
        octet += 1;
    }
    octets
};

/// Writes an IPv4 address, a 32-bit number, as dotted text to the front of `out`; returns the length, 7 to 15.
pub fn write_v4(bits: u32, out: &mut [u8; 15]) -> usize {
    let mut length = 0;
    for (index, octet) in bits.to_be_bytes().into_iter().enumerate() {
        if index > 0 {
            out[length] = b'.';
            length += 1;
        }
        let (digits, count) = OCTETS[octet as usize];
        // Three bytes at a time: surplus ones are overwritten, but there may be no room after the last octet.
        match out.get_mut(length..length + 3) {
            Some(room) => room.copy_from_slice(&digits),
            None => {
                let room = 15 - length;
                out[length..].copy_from_slice(&digits[..room]);
            }
        }
        length += count as usize;
    }
    length
}

/// Returns the 32-bit number of an IPv4 address that is written exactly as [`write_v4`] writes it; `None` for every
/// other text, including those with a leading zero.
#[inline]
pub fn exact_v4(text: &[u8]) -> Option<u32> {
    if !(7..=15).contains(&text.len()) {
        return None;
    }
    let (mut bits, mut octet, mut digits, mut dots) = (0u32, 0u32, 0u32, 0);
    for &byte in text {
        let digit = u32::from(byte.wrapping_sub(b'0'));
        if digit < 10 {
            // A leading zero would be lost.
            if digits > 0 && octet == 0 {
                return None;
            }
            octet = octet * 10 + digit;
            digits += 1;
            if octet > 255 {
                return None;
            }
        } else if byte == b'.' && digits > 0 && dots < 3 {
            bits = bits << 8 | octet;
            (octet, digits) = (0, 0);
            dots += 1;
        } else {
            return None;
        }
    }
    (dots == 3 && digits > 0).then_some(bits << 8 | octet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    #[test]
    fn only_the_one_way_to_write_an_address_counts() {
        for text in [
            "010.0.0.1",
            "10.0.0.01",
            "00.0.0.0",
            "10.0.0",
            "10.0.0.",
            ".10.0.0",
            "10.0.0.256",
            "1.2.3.4.5",
            " 1.2.3.4",
            "1..2.3.4",
            "",
            "-",
            "1.2.3.4 ",
            "1.2.3.1000",
            "::ffff:1.2.3.4",
        ] {
            assert_eq!(exact_v4(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_those_of_the_standard_library_and_come_back(bits: u32, octets in prop::array::uniform4(0u8..12)) {
            for bits in [bits, u32::from_be_bytes(octets)] {
                let mut out = [0; 15];
                let length = write_v4(bits, &mut out);
                let text = Ipv4Addr::from_bits(bits).to_string();
                prop_assert_eq!(&out[..length], text.as_bytes());
                prop_assert_eq!(exact_v4(&out[..length]), Some(bits));
            }
        }

        #[test]
        fn what_is_read_is_written_so(text in "[0-9]{1,3}(\\.[0-9]{1,3}){2,4}") {
            if let Some(bits) = exact_v4(text.as_bytes()) {
                prop_assert_eq!(Ipv4Addr::from_bits(bits).to_string(), text);
            }
        }
    }
}
