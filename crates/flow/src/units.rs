//! Numbers formatted for people: bytes, durations, counts, shares.

/// Formats bytes in decimal units with at most three digits, such as `512 B`, `1.2 KB`, `12.3 GB`, `123 TB`.
pub fn bytes_text(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1_000.0;
    let mut unit = 0;
    // 999.5 would round to 1000 of this unit, so it is one of the next.
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    if value < 99.95 { format!("{value:.1} {}", UNITS[unit]) } else { format!("{value:.0} {}", UNITS[unit]) }
}

/// Formats seconds in their two largest units, such as `0.4 s`, `45 s`, `4 m 10 s`, `2 h`, `3 d 4 h`.
///
/// Below 10 s one decimal is kept when it is not zero; negative and non-finite values are written as `0 s`.
pub fn duration_text(seconds: f64) -> String {
    if !seconds.is_finite() || seconds <= 0.0 {
        return "0 s".to_owned();
    }
    let tenths = (seconds * 10.0).round() as u64;
    if tenths < 100 && !tenths.is_multiple_of(10) {
        return format!("{}.{} s", tenths / 10, tenths % 10);
    }
    if seconds < 0.05 {
        return "under 0.1 s".to_owned();
    }
    let total = seconds.round() as u64;
    let (days, hours, minutes, rest) = (total / 86_400, total / 3_600 % 24, total / 60 % 60, total % 60);
    let parts = [(days, "d"), (hours, "h"), (minutes, "m"), (rest, "s")];
    let largest = parts.iter().position(|(count, _)| *count > 0).unwrap_or(3);
    let shown = parts[largest..].iter().take(2).filter(|(count, _)| *count > 0);
    shown.map(|(count, unit)| format!("{count} {unit}")).collect::<Vec<_>>().join(" ")
}

/// Formats a whole number with commas between thousands, such as `1,234,567`.
pub fn count_text(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a share of 0–1 in per cent, such as `98.7 %`; a share below 1 never reads `100 %`.
pub fn share_text(share: f64) -> String {
    let percent = share * 100.0;
    if share < 1.0 && percent > 99.9 {
        return "99.9 %".to_owned();
    }
    let text = format!("{percent:.1}");
    format!("{} %", text.strip_suffix(".0").unwrap_or(&text))
}

/// Formats a count with its noun, such as `1 object`, `1,234 objects`.
pub fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{} {}", count_text(count), if count == 1 { one } else { several })
}

/// Formats a number with three significant digits and without trailing zeros, such as `0.0123`, `4.5`, `120`.
pub fn number_text(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let magnitude = value.abs();
    if value == value.trunc() && magnitude < 1e15 {
        let count = count_text(magnitude as u64);
        return if value < 0.0 { format!("-{count}") } else { count };
    }
    if magnitude < 0.001 {
        return format!("{value:.1e}");
    }
    let decimals = (2 - magnitude.log10().floor() as i32).clamp(0, 5) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits_and_carry_over() {
        let shown = [0, 999, 1_000, 1_250, 99_949, 99_950, 999_499, 999_500, 12_300_000_000, u64::MAX].map(bytes_text);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 KB", "1.2 KB", "99.9 KB", "100 KB", "999 KB", "1.0 MB", "12.3 GB", "18.4 EB"]
        );
    }

    #[test]
    fn durations_have_two_units() {
        let shown =
            [-1.0, 0.01, 0.42, 3.0, 9.96, 45.0, 59.6, 250.0, 3_600.0, 3_605.0, 90_061.0, 1e9].map(duration_text);
        assert_eq!(
            shown,
            [
                "0 s",
                "under 0.1 s",
                "0.4 s",
                "3 s",
                "10 s",
                "45 s",
                "1 m",
                "4 m 10 s",
                "1 h",
                "1 h",
                "1 d 1 h",
                "11574 d 1 h"
            ]
        );
        assert_eq!(duration_text(f64::NAN), "0 s");
    }

    #[test]
    fn counts_shares_and_numbers_are_short() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count_text), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([0, 1, 1_234].map(|count| counted(count, "copy", "copies")), ["0 copies", "1 copy", "1,234 copies"]);
        assert_eq!([0.0, 0.987, 0.99999, 1.0].map(share_text), ["0 %", "98.7 %", "99.9 %", "100 %"]);
        let numbers = [0.012_34, 4.5, 120.0, 123.456, -3.0, 1e-9, f64::NAN, 41.27, 12_345.0];
        assert_eq!(numbers.map(number_text), ["0.0123", "4.5", "120", "123", "-3", "1.0e-9", "-", "41.3", "12,345"]);
    }
}
