//! Bytes as text.

use std::fmt::Write;

/// Returns bytes as lower-case hex characters, two each.
///
/// ```
/// assert_eq!(flowsift_flow::hex(&[0, 0xab]), "00ab");
/// ```
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
