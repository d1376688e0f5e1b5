//! Numbers of bytes as `pg_size_pretty` writes them.

/// Returns a number of bytes as Postgres writes it: in the largest unit that leaves at least ten.
pub(super) fn size_pretty(bytes: i64) -> String {
    let mut size = i128::from(bytes);
    if size.abs() < 10_240 {
        return format!("{size} bytes");
    }
    // Twice the size, so that halves round up at the end.
    size /= 512;
    for unit in ["kB", "MB", "GB", "TB"] {
        if size.abs() < 2 * 10_240 {
            return format!("{} {unit}", (size + size.signum()) / 2);
        }
        size /= 1_024;
    }
    format!("{} PB", (size + size.signum()) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_postgres_does() {
        for (bytes, expected) in [
            (0, "0 bytes"),
            (10_239, "10239 bytes"),
            (10_240, "10 kB"),
            (1_000_000, "977 kB"),
            (-1_000_000, "-977 kB"),
            (98_643_491_875, "92 GB"),
            (i64::MAX, "8192 PB"),
        ] {
            assert_eq!(size_pretty(bytes), expected);
        }
    }
}
