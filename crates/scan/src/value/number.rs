//! The numbers of a record, narrowed to the types of the rollup's columns.

use flow::schema::to_seconds;

/// Sentinel of a missing number.
pub const MISSING: i64 = i64::MIN;

/// Sentinel of a missing time.
pub const MISSING_S: u32 = u32::MAX;
/// Sentinel of a missing protocol.
pub const MISSING_PROTOCOL: u16 = u16::MAX;
/// Sentinel of a missing number of bytes.
pub const MISSING_BYTES: u64 = u64::MAX;

/// Conversion of a field's numbers to the type of its column; a missing number is [`MISSING`].
pub(crate) trait Narrow: Default {
    /// The column's type.
    type Out: Copy;
    /// Narrows a number.
    fn narrow(number: i64) -> Self::Out;
}

macro_rules! narrow {
    ($($(#[$doc:meta])* $name:ident: |$number:ident| -> $out:ty $body:block)*) => {$(
        $(#[$doc])*
        #[derive(Default)]
        pub(crate) struct $name;

        impl Narrow for $name {
            type Out = $out;
            #[inline(always)]
            fn narrow($number: i64) -> $out $body
        }
    )*};
}

narrow! {
    /// Times in any unit.
    Seconds: |time| -> u32 { u32::try_from(to_seconds(time)).unwrap_or(MISSING_S) }
    /// Ports.
    Port: |port| -> u16 { u16::try_from(port).unwrap_or(0) }
    /// IANA protocol numbers.
    Protocol: |number| -> u16 { u8::try_from(number).map_or(MISSING_PROTOCOL, u16::from) }
    /// Packet counts.
    Packets: |number| -> u32 { u32::try_from(number.max(0)).unwrap_or(u32::MAX) }
    /// Byte counts.
    Volume: |number| -> u64 { u64::try_from(number).unwrap_or(MISSING_BYTES) }
    /// TCP flags.
    Flags: |flags| -> u8 { u8::try_from(flags).unwrap_or(0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_missing() {
        assert_eq!(Port::narrow(65_536), 0);
        assert_eq!(Protocol::narrow(256), MISSING_PROTOCOL);
        assert_eq!(Packets::narrow(1 << 40), u32::MAX);
        assert_eq!((Packets::narrow(MISSING), Volume::narrow(-1)), (0, MISSING_BYTES));
        assert_eq!((Seconds::narrow(MISSING), Seconds::narrow(1 << 32)), (MISSING_S, MISSING_S));
    }
}
