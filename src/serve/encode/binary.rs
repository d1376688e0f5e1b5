//! Values in Postgres's binary format that need more than a copy of their bytes.

use super::text::Interval;
use bytes::{BufMut, BytesMut};

/// Microseconds from 1970 to 2000, Postgres's epoch.
pub(super) const EPOCH_MICROS: i64 = 946_684_800_000_000;
/// Days from 1970 to 2000.
pub(super) const EPOCH_DAYS: i64 = 10_957;

/// Writes an integer that represents a decimal number with `scale` digits after the point: groups of four digits.
pub(super) fn numeric(value: i128, scale: i8, out: &mut BytesMut) {
    let shown = u16::from(scale.max(0).unsigned_abs());
    let scale = i32::from(scale);
    // Groups are counted from the point, so the number of digits after it must be a multiple of four.
    let lacking = scale.rem_euclid(4);
    let lacking = if lacking == 0 { 0 } else { 4 - lacking };
    let mut digits = value.unsigned_abs().to_string();
    digits.extend(std::iter::repeat_n('0', lacking as usize));
    let front = (4 - digits.len() % 4) % 4;
    digits.insert_str(0, &"0".repeat(front));
    let groups: Vec<i16> = digits
        .as_bytes()
        .chunks(4)
        .map(|group| group.iter().fold(0, |sum, digit| sum * 10 + i16::from(digit - b'0')))
        .collect();
    let weight = groups.len() as i32 - (scale + lacking) / 4 - 1;
    let zeros = groups.iter().take_while(|group| **group == 0).count();
    let kept = &groups[zeros..];
    let kept = &kept[..kept.len() - kept.iter().rev().take_while(|group| **group == 0).count()];
    out.put_i16(kept.len() as i16);
    out.put_i16(if kept.is_empty() { 0 } else { (weight - zeros as i32) as i16 });
    out.put_u16(if value < 0 { 0x4000 } else { 0 });
    out.put_u16(shown);
    for group in kept {
        out.put_i16(*group);
    }
}

/// Reads a number as decimal text; `None` where it is damaged or not finite.
pub(super) fn numeric_text(raw: &[u8]) -> Option<String> {
    let words: Vec<i16> = raw.chunks_exact(2).map(|word| i16::from_be_bytes([word[0], word[1]])).collect();
    let [count, weight, sign, shown, groups @ ..] = words.as_slice() else { return None };
    if groups.len() != usize::try_from(*count).ok()? || !matches!(sign, 0 | 0x4000) {
        return None;
    }
    let group = |index: i32| usize::try_from(index).ok().and_then(|index| groups.get(index)).copied().unwrap_or(0);
    let weight = i32::from(*weight);
    let mut text = if *sign == 0 { String::new() } else { "-".to_owned() };
    match weight {
        ..0 => text.push('0'),
        _ => text.extend((0..=weight).map(|index| format!("{:04}", group(index)))),
    }
    let behind: String =
        (1..=(i32::from(*shown) + 3) / 4).map(|place| format!("{:04}", group(weight + place))).collect();
    if *shown > 0 {
        text.push('.');
        text.push_str(behind.get(..usize::try_from(*shown).ok()?)?);
    }
    Some(text)
}

/// Writes an interval.
pub(super) fn interval(value: Interval, out: &mut BytesMut) {
    out.put_i64(value.micros);
    out.put_i32(value.days);
    out.put_i32(value.months);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::encode::text;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        let by_hand: &[(i128, i8, &[i16])] = &[
            (0, 0, &[0, 0, 0, 0]),
            (12_345_678, 4, &[2, 0, 0, 4, 1_234, 5_678]),
            (-15, 1, &[2, 0, 0x4000, 1, 1, 5_000]),
            (10_000, 0, &[1, 1, 0, 0, 1]),
            (5, 5, &[1, -2, 0, 5, 5_000]),
        ];
        for (value, scale, words) in by_hand {
            let mut out = BytesMut::new();
            numeric(*value, *scale, &mut out);
            let expected: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
            assert_eq!(out.to_vec(), expected, "{value} {scale}");
        }
        for value in [1, 9, 12_345, 99_999_999, -1, i128::MAX, i128::MIN, 100, 1_000_000] {
            for scale in 0..12 {
                let (mut out, mut plain) = (BytesMut::new(), BytesMut::new());
                numeric(value, scale, &mut out);
                text::decimal(value, scale, &mut plain);
                let read = numeric_text(&out).unwrap();
                let (sign, read) = read.strip_prefix('-').map_or(("", read.as_str()), |rest| ("-", rest));
                let read = read.trim_start_matches('0');
                let read = if read.is_empty() || read.starts_with('.') {
                    format!("{sign}0{read}")
                } else {
                    format!("{sign}{read}")
                };
                assert_eq!(read.as_bytes(), plain.as_ref(), "{value} {scale}");
            }
        }
        assert_eq!(numeric_text(&[0, 1]), None);
    }
}
