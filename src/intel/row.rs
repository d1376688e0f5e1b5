//! Splits one line of CSV into fields.
//!
//! Lists are read line by line, so that a stray quote spoils one row and never the rest of the file, and so that
//! every message has its line. A reader per line would build its automaton anew each time: twenty times the cost.

use std::borrow::Cow;

/// Splits a line at its commas into trimmed fields (RFC 4180 without line breaks inside fields).
///
/// A quoted field may hold commas and doubled quotes. Returns `None` when a quote is not closed or text follows it.
pub(super) fn split_row(line: &str) -> Option<Vec<Cow<'_, str>>> {
    let mut fields = Vec::with_capacity(6);
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start();
        let (field, after) = match trimmed.strip_prefix('"') {
            Some(quoted) => {
                let (field, after) = quoted_field(quoted)?;
                let after = after.trim_start();
                match after.strip_prefix(',') {
                    Some(next) => (field, Some(next)),
                    None if after.is_empty() => (field, None),
                    None => return None,
                }
            }
            None => match trimmed.split_once(',') {
                Some((field, next)) => (Cow::Borrowed(field.trim_end()), Some(next)),
                None => (Cow::Borrowed(trimmed.trim_end()), None),
            },
        };
        fields.push(field);
        match after {
            Some(next) => rest = next,
            None => return Some(fields),
        }
    }
}

/// Reads a field after its opening quote; returns it and what follows its closing quote.
fn quoted_field(quoted: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    let mut has_doubled = false;
    loop {
        let quote = from + quoted[from..].find('"')?;
        if quoted[quote + 1..].starts_with('"') {
            has_doubled = true;
            from = quote + 2;
            continue;
        }
        let field = quoted[..quote].trim();
        let field = if has_doubled { Cow::Owned(field.replace("\"\"", "\"")) } else { Cow::Borrowed(field) };
        return Some((field, &quoted[quote + 1..]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quotes_hold_commas_and_doubled_quotes() {
        let row = split_row(r#"1.0.0.0, 1.0.0.255 ,13335,"Cloudflare, ""Inc"" ","#).unwrap();
        assert_eq!(row, ["1.0.0.0", "1.0.0.255", "13335", "Cloudflare, \"Inc\"", ""]);
        assert_eq!(split_row("").unwrap(), [""]);
        for broken in ["\"open", "\"a\"b,c", "a,\"", "\"a\"\""] {
            assert_eq!(split_row(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_the_csv_crate_writes(fields in prop::collection::vec("[a-z0-9\",;:.ü]{0,8}", 1..7)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(&fields).unwrap();
            let line = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split_row(line.trim_end_matches('\n')).unwrap(), fields);
        }

        #[test]
        fn never_fails_on_any_text(text in "\\PC{0,40}|[\", a]{0,12}") {
            let _ = split_row(&text);
        }
    }
}
