//! The settings of a connection, for `SET` and `SHOW`.

use super::protocol::pg_error::{self, PgError};
use crate::sql::TIME_ZONE;
use memory::lock;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

/// The version of Postgres that the server claims to be.
pub(super) const SERVER_VERSION: &str = "15.0";
/// The same as the number that clients compare.
const SERVER_VERSION_NUM: &str = "150000";

/// The initial settings: name, value, whether a client may change it.
pub(super) const KNOWN: &[(&str, &str, bool)] = &[
    ("application_name", "", true),
    ("bytea_output", "hex", true),
    ("client_encoding", "UTF8", false),
    ("client_min_messages", "notice", true),
    ("datestyle", "ISO, MDY", false),
    ("default_transaction_isolation", "read committed", true),
    ("default_transaction_read_only", "on", false),
    ("extra_float_digits", "1", true),
    ("in_hot_standby", "off", false),
    ("integer_datetimes", "on", false),
    ("intervalstyle", "postgres", false),
    ("is_superuser", "off", false),
    ("lc_collate", "C.UTF-8", false),
    ("lc_ctype", "C.UTF-8", false),
    ("max_identifier_length", "63", false),
    ("max_index_keys", "32", false),
    ("search_path", "public", true),
    ("server_encoding", "UTF8", false),
    ("server_version", SERVER_VERSION, false),
    ("server_version_num", SERVER_VERSION_NUM, false),
    ("standard_conforming_strings", "on", false),
    ("statement_timeout", "0", true),
    ("timezone", TIME_ZONE, false),
    ("transaction_isolation", "read committed", true),
    ("transaction_read_only", "on", false),
];

/// Settings whose changes are reported to the client, and under which name.
const REPORTED: &[(&str, &str)] = &[("application_name", "application_name")];

/// Limits on the number of settings that a client may add and on the length of their values: the memory limit does not
/// cover them.
const MAX_SETTINGS: usize = 200;
const MAX_VALUE_BYTES: usize = 4_096;

/// The settings of a connection.
#[derive(Debug, Default)]
pub(super) struct Settings(Mutex<BTreeMap<String, String>>);

impl Settings {
    /// Returns the value of a setting; names are case-insensitive.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        let name = name.to_ascii_lowercase();
        let set = lock(&self.0).get(&name).cloned();
        set.or_else(|| KNOWN.iter().find(|(known, _, _)| *known == name).map(|(_, value, _)| (*value).to_owned()))
    }

    /// Returns all settings, by name.
    pub(super) fn all(&self) -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> =
            KNOWN.iter().map(|(name, value, _)| ((*name).to_owned(), (*value).to_owned())).collect();
        let set = lock(&self.0);
        all.extend(set.iter().map(|(name, value)| (name.clone(), value.clone())));
        all
    }

    /// Sets a setting, or resets it to its default; returns what is to be reported to the client.
    ///
    /// Settings that rows depend on keep their values: times are written in UTC with their offset, in ISO format, and
    /// clients read them that way.
    ///
    /// # Errors
    /// When the setting belongs to the engine, which only the operator of the server configures, or the value is
    /// invalid.
    pub(super) fn set(&self, name: &str, value: Option<&str>) -> Result<Option<(String, String)>, PgError> {
        let name = name.to_ascii_lowercase();
        if name.starts_with("datafusion.") {
            return Err(pg_error::error("42501", format!("permission denied to set parameter \"{name}\"")));
        }
        if let Some(value) = value {
            check(&name, value)?;
        }
        if KNOWN.iter().any(|(known, _, free)| *known == name && !free) {
            return Ok(None);
        }
        let mut set = lock(&self.0);
        match value {
            Some(value) if value.len() <= MAX_VALUE_BYTES && (set.len() < MAX_SETTINGS || set.contains_key(&name)) => {
                set.insert(name.clone(), value.to_owned());
            }
            Some(_) => return Err(pg_error::error("54000", format!("too many or too long settings at \"{name}\""))),
            None => {
                set.remove(&name);
            }
        }
        drop(set);
        let shown = REPORTED.iter().find(|(reported, _)| *reported == name).map(|(_, shown)| (*shown).to_owned());
        Ok(shown.map(|shown| (shown, self.get(&name).unwrap_or_default())))
    }

    /// Resets all settings.
    pub(super) fn reset(&self) {
        lock(&self.0).clear();
    }

    /// Returns the client's own time limit for a statement.
    pub(super) fn statement_timeout(&self) -> Option<Duration> {
        self.get("statement_timeout").and_then(|value| milliseconds(&value)).filter(|time| !time.is_zero())
    }
}

/// Refuses values that the server would not honour.
fn check(name: &str, value: &str) -> Result<(), PgError> {
    let invalid = || pg_error::error("22023", format!("invalid value for parameter \"{name}\": \"{value}\""));
    match name {
        "client_encoding" => {
            let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            let utf8 = ["utf8", "unicode", "sqlascii"].contains(&plain.to_ascii_lowercase().as_str());
            utf8.then_some(()).ok_or_else(|| pg_error::with_hint(invalid(), "flowsift supports only UTF8"))
        }
        "standard_conforming_strings" => {
            let on = ["on", "true", "1", "yes"].contains(&value.to_ascii_lowercase().as_str());
            on.then_some(()).ok_or_else(invalid)
        }
        "statement_timeout" => milliseconds(value).map(drop).ok_or_else(invalid),
        _ => Ok(()),
    }
}

/// Reads `1500`, `30s` or `5min` as Postgres does: without a unit in milliseconds.
fn milliseconds(value: &str) -> Option<Duration> {
    let value: String = value.chars().filter(|letter| !letter.is_whitespace()).collect();
    let at = value.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..at].parse().ok()?;
    let factor = match &value[at..] {
        "" | "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(factor).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_kept_reported_and_bounded() {
        let settings = Settings::default();
        assert_eq!(settings.get("Server_Version_Num").as_deref(), Some("150000"));
        let reported = settings.set("application_name", Some("a")).unwrap();
        assert_eq!(reported, Some(("application_name".to_owned(), "a".to_owned())));
        assert_eq!(settings.set("TimeZone", Some("Europe/Berlin")).unwrap(), None);
        assert_eq!(settings.get("timezone").as_deref(), Some("UTC"), "times stay UTC");
        assert!(settings.set("datafusion.execution.batch_size", Some("1")).is_err());
        assert!(settings.set("client_encoding", Some("LATIN1")).is_err());
        assert!(settings.set("client_encoding", Some("utf-8")).is_ok());
        assert!(settings.set("statement_timeout", Some("soon")).is_err());
        settings.set("statement_timeout", Some("2 s")).unwrap();
        assert_eq!(settings.statement_timeout(), Some(Duration::from_secs(2)));
        settings.set("statement_timeout", None).unwrap();
        assert_eq!(settings.statement_timeout(), None);
        let added = (0..1_000).filter(|at| settings.set(&format!("my.setting{at}"), Some("1")).is_ok()).count();
        assert!(added < MAX_SETTINGS && added > 100);
        assert!(settings.set("my.setting0", Some(&"x".repeat(5_000))).is_err());
        settings.reset();
        assert_eq!(settings.get("my.setting0"), None);
        assert!(settings.all().contains_key("search_path"));
    }
}
