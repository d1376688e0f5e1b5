//! From the containers that logs travel in to their records.
//!
//! Records come as one document (`{"Records":[…]}`), as an array, as lines, one behind the other without a newline
//! (Firehose), and wrapped by EventBridge (`detail`) or CloudWatch (`logEvents`, the record as a text). One walk takes
//! all of these, also mixed.

use serde_json::Value;

use super::Cursor;
use crate::error::Broken;

/// CloudWatch messages within CloudWatch messages that are opened.
const MAX_WRAPPINGS: usize = 3;

/// The keys of an object that hold records.
pub(crate) struct Wrapping {
    /// Keys whose value is a record or an array of records. What another key holds is passed over.
    pub records: &'static [&'static str],
}

/// Calls `record` before each record of a text; `record` passes over it, and gets the text itself and a cursor in it.
///
/// A record in a CloudWatch message lies in a text of its own, so places in it are those of the message.
pub(crate) fn stream(
    text: &str,
    wrapping: &Wrapping,
    record: &mut dyn FnMut(&mut Cursor<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    within(text, wrapping, MAX_WRAPPINGS, record)
}

fn within(
    text: &str,
    wrapping: &Wrapping,
    depth: usize,
    record: &mut dyn FnMut(&mut Cursor<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let mut cursor = Cursor::new(text);
    while let Some(first) = cursor.between() {
        match first {
            b'{' => entry(&mut cursor, wrapping, depth, record)?,
            b'[' => cursor.array(|cursor| entry(cursor, wrapping, depth, record))?,
            _ => return Err(cursor.broken("`{` or `[`")),
        }
    }
    Ok(())
}

/// Reads what stands at the top or in an array there: a wrapping, or else a record.
fn entry(
    cursor: &mut Cursor<'_>,
    wrapping: &Wrapping,
    depth: usize,
    record: &mut dyn FnMut(&mut Cursor<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    if cursor.peek() != Some(b'{') {
        return record(cursor);
    }
    let begin = cursor.at();
    let mut wrapped = false;
    cursor.object(|cursor, key| {
        let holds = std::str::from_utf8(key).is_ok_and(|key| wrapping.records.contains(&key));
        match cursor.peek() {
            Some(b'[') if holds => {
                wrapped = true;
                cursor.array(&mut *record)
            }
            Some(b'{') if holds || key == b"detail" => {
                wrapped = true;
                record(cursor)
            }
            Some(b'[') if key == b"logEvents" && depth > 0 => {
                wrapped = true;
                cursor.array(|cursor| message(cursor, wrapping, depth - 1, record))
            }
            _ => cursor.skip().map(drop),
        }
    })?;
    if wrapped {
        return Ok(());
    }
    cursor.return_to(begin);
    record(cursor)
}

fn message(
    cursor: &mut Cursor<'_>,
    wrapping: &Wrapping,
    depth: usize,
    record: &mut dyn FnMut(&mut Cursor<'_>) -> Result<(), Broken>,
) -> Result<(), Broken> {
    let begin = cursor.at();
    let mut text = None;
    cursor.object(|cursor, key| {
        match key {
            b"message" => text = cursor.text()?,
            _ => _ = cursor.skip()?,
        }
        Ok(())
    })?;
    let held = text.unwrap_or_default();
    within(&held, wrapping, depth, record).map_err(|_| Broken { at: begin, expected: "a message that holds a record" })
}

/// Takes a record or what was expected, the record as written, and the byte where it begins.
type OnValue<'f> = dyn FnMut(Result<&Value, &'static str>, &str, usize) + 'f;

/// Calls `record` with each record of a text as a JSON object, or with what was expected there, with the record as
/// written, and with the byte where it begins.
pub(crate) fn values(text: &str, wrapping: &Wrapping, record: &mut OnValue<'_>) -> Result<(), Broken> {
    stream(text, wrapping, &mut |cursor| {
        cursor.peek();
        let at = cursor.at();
        let written = cursor.skip()?;
        match serde_json::from_str(written) {
            Ok(value @ Value::Object(_)) => record(Ok(&value), written, at),
            _ => record(Err("a JSON object"), written, at),
        }
        Ok(())
    })
}

/// Returns the text at a path of a value; empty when it is absent, null or no text.
pub(crate) fn text_at<'a>(value: &'a Value, path: &[&str]) -> &'a str {
    path.iter().try_fold(value, |value, key| value.get(key)).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDS: Wrapping = Wrapping { records: &["Records"] };

    fn numbers(text: &str) -> Result<Vec<i64>, Broken> {
        let (mut found, mut bad) = (Vec::new(), 0);
        values(text, &RECORDS, &mut |value, _, _| match value {
            Ok(value) => found.push(value["n"].as_i64().unwrap()),
            Err(_) => bad += 1,
        })?;
        found.extend((0..bad).map(|_| -1));
        Ok(found)
    }

    #[test]
    fn every_container_holds_the_same() {
        for text in [
            r#"{"Records":[{"n":1},{"n":2}]}"#,
            r#"[{"n":1},{"n":2}]"#,
            "{\"n\":1}\n{\"n\":2}\n",
            r#"{"n":1}{"n":2}"#,
            "\u{feff}{\"n\":1}\r\n\r\n{\"n\":2}",
            r#"{"version":"0","detail-type":"x","detail":{"n":1}}{"version":"0","detail":{"n":2}}"#,
            r#"{"logGroup":"g","logEvents":[{"id":"1","message":"{\"n\":1}"},{"message":"{\"n\":2}"}]}"#,
            r#"{"Records":[{"n":1}],"more":{"Records":[{"n":9}]}}[{"n":2}]"#,
        ] {
            assert_eq!(numbers(text), Ok(vec![1, 2]), "{text}");
        }
        assert_eq!(numbers(""), Ok(vec![]));
        assert_eq!(numbers(r#"{"Records":[]}"#), Ok(vec![]));
    }

    #[test]
    fn a_bad_record_is_passed_over_and_a_text_without_end_is_broken() {
        assert_eq!(numbers(r#"{"Records":[{"n":1},{"n":tru},7,{"n":2}]}"#), Ok(vec![1, 2, -1, -1]));
        assert_eq!(numbers(r#"{"Records":[{"n":1},{"n":2"#).unwrap_err().expected, "the end of this value");
        assert_eq!(numbers("PAR1").unwrap_err(), Broken { at: 0, expected: "`{` or `[`" });
        let deep = r#"{"detail":"#.repeat(100_000);
        assert!(numbers(&deep).is_err());
    }
}
