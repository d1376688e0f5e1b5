//! One act as a row: what its columns are made from.

use access::Act;
use serde_json::Value;
use std::borrow::Cow;
use std::cell::OnceCell;

/// An act, and what is made of its record only where a column asks for it.
pub(super) struct Row<'a> {
    pub(super) act: &'a Act<'a>,
    /// The URL of its object.
    pub(super) url: &'a str,
    json: OnceCell<Value>,
    words: OnceCell<Vec<Cow<'a, str>>>,
}

/// The value of a column.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Text(Cow<'r, str>),
    /// Microseconds since 1970-01-01 UTC.
    Time(i64),
    Whole(i64),
    Number(f64),
    Flag(bool),
}

impl<'r> Cell<'r> {
    /// Returns a text; an empty one is NULL.
    pub(super) fn text(text: impl Into<Cow<'r, str>>) -> Self {
        let text = text.into();
        if text.is_empty() { Cell::Null } else { Cell::Text(text) }
    }

    /// Returns a number of bytes, a port or a duration.
    pub(super) fn count(count: Option<u64>) -> Self {
        count.map_or(Cell::Null, |count| Cell::Whole(i64::try_from(count).unwrap_or(i64::MAX)))
    }

    pub(super) fn flag(flag: Option<bool>) -> Self {
        flag.map_or(Cell::Null, Cell::Flag)
    }

    /// Returns a second since 1970-01-01 UTC.
    pub(super) fn second(second: Option<i64>) -> Self {
        second.and_then(|second| second.checked_mul(1_000_000)).map_or(Cell::Null, Cell::Time)
    }
}

impl<'a> Row<'a> {
    pub(super) fn new(act: &'a Act<'a>, url: &'a str) -> Self {
        Self { act, url, json: OnceCell::new(), words: OnceCell::new() }
    }

    /// Returns the record as JSON; `null` if it is none.
    pub(super) fn json(&self) -> &Value {
        self.json.get_or_init(|| serde_json::from_str(&self.act.record).unwrap_or(Value::Null))
    }

    /// Returns what lies at a path of the record; `null` if there is nothing.
    pub(super) fn at(&self, path: &[&str]) -> &Value {
        path.iter().fold(self.json(), |value, key| value.get(key).unwrap_or(&Value::Null))
    }

    /// Returns the text at a path of the record.
    pub(super) fn text(&self, path: &[&str]) -> Cell<'_> {
        Cell::text(self.at(path).as_str().unwrap_or_default())
    }

    /// Returns the number at a path of the record.
    pub(super) fn number(&self, path: &[&str]) -> Cell<'_> {
        self.at(path).as_f64().map_or(Cell::Null, Cell::Number)
    }

    /// Returns the truth at a path of the record, which some logs write as a text.
    pub(super) fn flag(&self, path: &[&str]) -> Cell<'_> {
        match self.at(path) {
            Value::Bool(flag) => Cell::Flag(*flag),
            Value::String(text) if text == "true" || text == "false" => Cell::Flag(text == "true"),
            _ => Cell::Null,
        }
    }

    /// Returns the JSON at a path of the record, without its secrets.
    pub(super) fn json_text(&self, path: &[&str]) -> Cell<'_> {
        match self.at(path) {
            Value::Null => Cell::Null,
            value => {
                let mut value = value.clone();
                hide(&mut value, &[self.act.credential.full(), self.act.child_credential.full()]);
                Cell::text(value.to_string())
            }
        }
    }

    /// Returns the fields of a balancer's line.
    pub(super) fn words(&self) -> &[Cow<'a, str>] {
        self.words.get_or_init(|| words(&self.act.record))
    }

    /// Returns a field of a balancer's line; `-` is none.
    pub(super) fn word(&self, place: usize) -> Cell<'_> {
        match self.words().get(place).map(AsRef::as_ref) {
            Some("-") | None => Cell::Null,
            Some(word) => Cell::text(word),
        }
    }
}

/// The keys of JSON whose values are secrets.
const SECRETS: &[&str] = &["sessiontoken", "secretaccesskey", "password", "newpassword", "oldpassword", "clientsecret"];

/// Takes the secrets out of JSON: what its keys call so, and all but the last four characters of credentials.
fn hide(value: &mut Value, credentials: &[&str]) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match key.to_ascii_lowercase().as_str() {
                    key if SECRETS.contains(&key) && field.is_string() => *field = Value::from("…"),
                    "accesskeyid" => {
                        let shown = field.as_str().map(|id| format!("…{}", last_four(id)));
                        *field = shown.map_or(Value::Null, Value::from);
                    }
                    _ => hide(field, credentials),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(|entry| hide(entry, credentials)),
        Value::String(text) => {
            for credential in credentials.iter().filter(|credential| credential.len() > 8) {
                if text.contains(credential) {
                    *text = text.replace(credential, &format!("…{}", last_four(credential)));
                }
            }
        }
        _ => {}
    }
}

fn last_four(id: &str) -> &str {
    if id.chars().count() <= 8 {
        return "";
    }
    id.char_indices().rev().nth(3).map_or("", |(at, _)| &id[at..])
}

/// Splits a line at its spaces; words in quotes hold spaces, and `\"`.
fn words(line: &str) -> Vec<Cow<'_, str>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let Some(quoted) = rest.strip_prefix('"') else {
            let (word, behind) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(Cow::Borrowed(word));
            rest = behind.trim_start();
            continue;
        };
        let mut escaped = false;
        let end = quoted.char_indices().find(|(_, letter)| {
            let ends = *letter == '"' && !escaped;
            escaped = *letter == '\\' && !escaped;
            ends
        });
        let end = end.map_or(quoted.len(), |(at, _)| at);
        let word = &quoted[..end];
        words.push(if word.contains('\\') { word.replace("\\\"", "\"").into() } else { word.into() });
        rest = quoted.get(end + 1..).unwrap_or_default().trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use access::{Credential, Log};

    #[test]
    fn a_line_is_split_at_spaces_outside_of_quotes() {
        assert_eq!(words(r#"a "b c" "d \"e\"" - "" f"#), ["a", "b c", "d \"e\"", "-", "", "f"]);
        assert_eq!(words("\"no end"), ["no end"]);
    }

    #[test]
    fn json_is_shown_without_secrets() {
        let mut act = Act::new(Log::CloudTrail, 0);
        act.credential = Credential::key("AKIAIOSFODNN7EXAMPLE".into());
        act.record = r#"{"responseElements":{"credentials":{"accessKeyId":"ASIAIOSFODNN7SESSION",
            "sessionToken":"very long","expiration":"x"},"note":["made by AKIAIOSFODNN7EXAMPLE"]}}"#
            .into();
        let row = Row::new(&act, "o");
        assert_eq!(
            row.json_text(&["responseElements"]),
            Cell::text(
                r#"{"credentials":{"accessKeyId":"…SION","sessionToken":"…","expiration":"x"},"note":["made by …MPLE"]}"#
            )
        );
        assert_eq!((row.json_text(&["none"]), row.text(&["none", "x"])), (Cell::Null, Cell::Null));
    }
}
