//! Times as the logs write them.

use std::fmt;

use super::timeline::DAY_S;

/// A second, as `2023-11-22T14:18:22`, or with a space in the middle when shown with `{:#}`.
#[derive(Clone, Copy, Debug)]
pub struct Second(pub i64);

/// Returns year, month and day of a day since 1970-01-01, in the Gregorian calendar.
pub const fn date(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + (month <= 2) as i64;
    (year, month, of_year - (153 * shifted + 2) / 5 + 1)
}

impl fmt::Display for Second {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date(self.0.div_euclid(DAY_S));
        let of_day = self.0.rem_euclid(DAY_S);
        let mut text = *b"0000-00-00T00:00:00";
        let mut put = |at: usize, number: i64| {
            text[at] = b'0' + (number / 10) as u8;
            text[at + 1] = b'0' + (number % 10) as u8;
        };
        for (at, number) in [(0, year / 100), (2, year % 100), (5, month), (8, day), (11, of_day / 3_600)] {
            put(at, number);
        }
        put(14, of_day / 60 % 60);
        put(17, of_day % 60);
        if f.alternate() {
            text[10] = b' ';
        }
        f.write_str(std::str::from_utf8(&text).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::time::rfc3339;

    #[test]
    fn seconds_are_written_as_the_rest_of_the_program_does() {
        for second in [0, 951_782_400, 1_698_796_800, 1_700_662_702, 1_709_164_800] {
            assert_eq!(format!("{}Z", Second(second)), rfc3339(second));
        }
        assert_eq!(format!("{:#}", Second(1_700_662_702)), "2023-11-22 14:18:22");
    }
}
