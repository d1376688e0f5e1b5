//! Times as logs write them, to microseconds since 1970-01-01 UTC.

/// Microseconds in a second.
pub(crate) const SECOND_US: i64 = 1_000_000;

/// Returns the days from 1970-01-01 to a day of the Gregorian calendar.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn number(text: &[u8]) -> Option<i64> {
    let mut value = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(value)
}

/// Parses `2023-11-22T14:18:22`, with a space for `T`, with a fraction behind `.` or `,`, and with `Z`, `+00:00`,
/// `+0000` or nothing at its end. Nothing means that the time is as it stands. Returns microseconds.
pub(crate) fn parse_us(text: &str) -> Option<i64> {
    let text = text.as_bytes();
    let marks = text.len() >= 19
        && text[4] == b'-'
        && text[7] == b'-'
        && matches!(text[10], b'T' | b' ' | b't')
        && text[13] == b':'
        && text[16] == b':';
    if !marks {
        return None;
    }
    let (year, month, day) = (number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?);
    let (hour, minute, second) = (number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    // Second 60 is a leap second.
    if !(1..=12).contains(&month) || day < 1 || day > longest || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut us = (days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second) * SECOND_US;
    let mut rest = &text[19..];
    if let [b'.' | b',', fraction @ ..] = rest {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return None;
        }
        let kept = digits.min(6);
        us += number(&fraction[..kept])? * 10i64.pow(6 - kept as u32);
        rest = &fraction[digits..];
    }
    let offset_minutes = match rest {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), hours @ .., b':', m1, m2] if hours.len() == 2 => {
            signed(*sign, number(hours)? * 60 + number(&[*m1, *m2])?)
        }
        [sign @ (b'+' | b'-'), digits @ ..] if digits.len() == 4 => {
            signed(*sign, number(&digits[..2])? * 60 + number(&digits[2..])?)
        }
        [sign @ (b'+' | b'-'), digits @ ..] if digits.len() == 2 => signed(*sign, number(digits)? * 60),
        _ => return None,
    };
    Some(us - offset_minutes * 60 * SECOND_US)
}

const fn signed(sign: u8, minutes: i64) -> i64 {
    if sign == b'-' { -minutes } else { minutes }
}

/// Parses a time as [`parse_us`] does. Returns whole seconds.
pub(crate) fn parse_s(text: &str) -> Option<i64> {
    parse_us(text).map(|us| us.div_euclid(SECOND_US))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_log_writes_time_its_own_way() {
        let at = 1_700_662_702_000_000;
        for (text, us) in [
            ("2023-11-22T14:18:22Z", at),
            ("2023-11-22T14:18:22", at),
            ("2023-11-22T14:18:22.186641Z", at + 186_641),
            ("2023-11-22 14:18:22,186", at + 186_000),
            ("2023-11-22T14:18:22.186641999Z", at + 186_641),
            ("2023-11-22T15:18:22.500+0100", at + 500_000),
            ("2023-11-22T12:18:22-02:00", at),
        ] {
            assert_eq!(parse_us(text), Some(us), "{text}");
        }
        for text in ["", "-", "2023-11-22", "2023-02-29T00:00:00Z", "2023-11-22T24:00:00Z", "2023-11-22T14:18:22.Z"] {
            assert_eq!(parse_us(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_chrono(second in -62_167_219_200i64..253_402_300_799) {
            let text = flow::time::rfc3339(second);
            prop_assert_eq!(parse_s(&text), Some(second));
        }

        #[test]
        fn any_text_is_a_time_or_none(text in ".{0,40}", tail in "[-+.,Z0-9:]{0,12}") {
            let _ = parse_us(&text);
            let _ = parse_us(&format!("2023-11-22T14:18:22{tail}"));
        }
    }
}
