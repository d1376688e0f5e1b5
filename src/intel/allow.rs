//! Contacts that the user knows and accepts.
//!
//! An allow-list is a text file with one entry a line:
//!
//! ```text
//! # remote            conditions                                                     comment
//! 203.0.113.0/24      port=443 protocol=tcp host=10.1.0.0/16                         # nightly backup, ticket 42
//! 198.51.100.7        detection=beacon until=2026-12-31                              # monitoring agent
//! any                 port=123 protocol=udp                                          # time servers
//! ```
//!
//! | word | meaning |
//! | --- | --- |
//! | first | the remote: an address, a network in CIDR notation, or `any` (also findings without a remote) |
//! | `port=` | the remote service's port, 0–65535; without it any |
//! | `protocol=` | `tcp`, `udp`, … or the IANA number; without it any |
//! | `host=` | the monitored side: an address or a network; without it any |
//! | `detection=` | the detection's name; without it all detections |
//! | `until=` | last valid day (UTC, included) or moment (RFC 3339); without it for ever |
//! | `#` | the reason, shown with each finding that the entry lowers |
//!
//! All conditions of an entry must hold. A finding that is allowed is lowered with the reason, never hidden. An entry
//! whose time is over no longer counts and is reported.

use std::path::{Path, PathBuf};

use super::error::{IntelError, Warning, WarningKind, read_text, shorten};
use super::feed::parse_valid_time;
use crate::flow::{Address, Network, codes, time};

const EXPECTED_REMOTE: &str = "first an address, a network or `any`, such as `203.0.113.0/24 port=443 # backup`";
const EXPECTED_CONDITION: &str = "one of `port=`, `protocol=`, `host=`, `detection=`, `until=`, each at most once";
const EXPECTED_PORT: &str = "`port=` with a number from 0 to 65535";
const EXPECTED_PROTOCOL: &str = "`protocol=` with tcp, udp, icmp or an IANA number from 0 to 255";
const EXPECTED_HOST: &str = "`host=` with an address or a network, such as host=10.1.0.0/16";
const EXPECTED_DETECTION: &str = "`detection=` with the name of a detection, such as detection=beacon";
const EXPECTED_UNTIL: &str = "`until=` with a date or an RFC 3339 time, such as until=2026-12-31";
const EXPECTED_RENEWED: &str = "a later `until=`, or the entry removed";

/// One accepted contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowEntry {
    /// The file as given.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// The remote; `None` for any remote and for findings without one.
    pub remote: Option<Network>,
    /// The monitored side; `None` for any.
    pub host: Option<Network>,
    /// The remote service's port; `None` for any.
    pub port: Option<u16>,
    /// The IANA protocol number; `None` for any.
    pub protocol: Option<u8>,
    /// The detection's name; `None` for all.
    pub detection: Option<String>,
    /// The last valid second; `None` for ever.
    pub until_s: Option<i64>,
    /// The user's reason.
    pub comment: Option<String>,
    /// The entry as written, without its comment.
    pub text: String,
}

impl AllowEntry {
    /// Returns the reason as it stands in a finding, such as ``allowed by allow.txt:3: nightly backup``.
    pub fn reason(&self) -> String {
        let place = format!("allowed by {}:{}", self.path.display(), self.line);
        match &self.comment {
            Some(comment) => format!("{place}: {comment}"),
            None => format!("{place}: `{}`", self.text),
        }
    }

    fn holds(&self, host: Address, remote: Option<Address>, port: Option<u16>, protocol: Option<u8>) -> bool {
        self.remote.is_none_or(|network| remote.is_some_and(|remote| network.contains(remote)))
            && self.host.is_none_or(|network| network.contains(host))
            && (self.port.is_none() || self.port == port)
            && (self.protocol.is_none() || self.protocol == protocol)
    }

    fn is_expired(&self, at_s: i64) -> bool {
        self.until_s.is_some_and(|until_s| until_s < at_s)
    }
}

/// The user's allow-lists in the order given; a look-up goes through all entries.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<AllowEntry>,
}

impl AllowList {
    /// Reads allow-list files.
    ///
    /// These are written by hand and decide what is lowered, so any line that is not exactly right is an error.
    ///
    /// # Errors
    /// [`IntelError::Read`] when a file cannot be read, [`IntelError::Line`] for the first line that is wrong.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, IntelError> {
        let mut list = Self::default();
        for path in paths {
            list.add(path.as_ref(), &read_text(path.as_ref())?)?;
        }
        Ok(list)
    }

    /// Adds the entries of a text; the path is for reasons and messages only.
    ///
    /// # Errors
    /// [`IntelError::Line`] for the first line that is wrong.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), IntelError> {
        for (at, line) in text.lines().enumerate() {
            let (content, comment) = match line.split_once('#') {
                Some((content, comment)) => (content.trim(), shorten(comment)),
                None => (line.trim(), String::new()),
            };
            if content.is_empty() {
                continue;
            }
            let mut entry = parse_entry(content).map_err(|(got, expected)| IntelError::Line {
                path: path.to_owned(),
                line: at as u64 + 1,
                got: shorten(got),
                expected,
            })?;
            entry.path = path.to_owned();
            entry.line = at as u64 + 1;
            entry.comment = Some(comment).filter(|comment| !comment.is_empty());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Returns all entries in the order of the files.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.entries
    }

    /// Returns the first entry that accepts a finding at the second `at_s`, or `None`.
    ///
    /// `remote`, `port` and `protocol` are `None` where the finding has none; an entry that asks for one of them then
    /// does not hold.
    pub fn allowed(
        &self,
        host: Address,
        remote: Option<Address>,
        port: Option<u16>,
        protocol: Option<u8>,
        detection: &str,
        at_s: i64,
    ) -> Option<&AllowEntry> {
        self.entries.iter().find(|entry| {
            entry.holds(host, remote, port, protocol)
                && entry.detection.as_deref().is_none_or(|wanted| wanted == detection)
                && !entry.is_expired(at_s)
        })
    }

    /// Returns one warning for each entry whose time is over at the second `at_s`.
    pub fn expired(&self, at_s: i64) -> Vec<Warning> {
        let expired = self.entries.iter().filter(|entry| entry.is_expired(at_s));
        expired
            .map(|entry| Warning {
                path: entry.path.clone(),
                kind: WarningKind::Expired,
                count: 1,
                first_line: entry.line,
                got: shorten(&entry.text),
                expected: EXPECTED_RENEWED,
            })
            .collect()
    }

    /// Returns the names of detections that entries ask for, sorted, so that misspelt ones can be told.
    pub fn detections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.iter().filter_map(|entry| entry.detection.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads an entry without its comment; the error is what was found and what was expected.
fn parse_entry(content: &str) -> Result<AllowEntry, (&str, &'static str)> {
    let mut words = content.split_whitespace();
    let first = words.next().unwrap_or_default();
    let remote = match first {
        "any" => None,
        text => Some(text.parse::<Network>().map_err(|_| (content, EXPECTED_REMOTE))?),
    };
    let mut entry = AllowEntry {
        path: PathBuf::new(),
        line: 0,
        remote,
        host: None,
        port: None,
        protocol: None,
        detection: None,
        until_s: None,
        comment: None,
        text: content.to_owned(),
    };
    for word in words {
        let (key, value) = word.split_once('=').ok_or((word, EXPECTED_CONDITION))?;
        // A condition given twice would silently replace the first one.
        let is_new = match key {
            "port" => entry.port.replace(value.parse().map_err(|_| (word, EXPECTED_PORT))?).is_none(),
            "protocol" => entry.protocol.replace(parse_protocol(value).ok_or((word, EXPECTED_PROTOCOL))?).is_none(),
            "host" => entry.host.replace(value.parse().map_err(|_| (word, EXPECTED_HOST))?).is_none(),
            "detection" if value.is_empty() => return Err((word, EXPECTED_DETECTION)),
            "detection" => entry.detection.replace(value.to_owned()).is_none(),
            "until" => {
                let until_s = parse_valid_time(value, true).ok_or((word, EXPECTED_UNTIL))?;
                entry.until_s.replace(until_s).is_none()
            }
            _ => false,
        };
        if !is_new {
            return Err((word, EXPECTED_CONDITION));
        }
    }
    Ok(entry)
}

fn parse_protocol(text: &str) -> Option<u8> {
    let name = text.to_ascii_lowercase();
    (0..=u8::MAX).find(|protocol| codes::protocol_name(*protocol) == name.as_str()).or_else(|| name.parse().ok())
}

impl std::fmt::Display for AllowEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)?;
        match self.until_s {
            Some(until_s) => write!(f, " (until {})", time::rfc3339(until_s)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flow::time::parse_time;

    const LIST: &str = "\
# known traffic

203.0.113.0/24 port=443 protocol=tcp host=10.1.0.0/16 # nightly backup
198.51.100.7 detection=beacon until=2026-12-31
any port=123 protocol=UDP # time servers
any host=10.9.9.9 detection=port_scan#scanner
2001:db8::/32 protocol=6 until=2024-04-19T06:00:00Z
";

    fn list() -> AllowList {
        let mut list = AllowList::default();
        list.add(Path::new("allow.txt"), LIST).unwrap();
        list
    }

    fn line(host: &str, remote: &str, port: u16, protocol: u8, detection: &str, at: &str) -> Option<u64> {
        let (host, remote) = (host.parse().unwrap(), remote.parse().ok());
        let at_s = parse_time(at, 0).unwrap();
        list().allowed(host, remote, Some(port), Some(protocol), detection, at_s).map(|entry| entry.line)
    }

    #[test]
    fn every_condition_must_hold() {
        let at = "2024-04-19";
        assert_eq!(line("10.1.2.3", "203.0.113.7", 443, 6, "beacon", at), Some(3));
        assert_eq!(line("10.2.2.3", "203.0.113.7", 443, 6, "beacon", at), None);
        assert_eq!(line("10.1.2.3", "203.0.113.7", 444, 6, "beacon", at), None);
        assert_eq!(line("10.1.2.3", "203.0.113.7", 443, 17, "beacon", at), None);
        assert_eq!(line("10.1.2.3", "198.51.100.7", 1, 6, "beacon", at), Some(4));
        assert_eq!(line("10.1.2.3", "198.51.100.7", 1, 6, "bulk_egress", at), None);
        assert_eq!(line("10.1.2.3", "8.8.8.8", 123, 17, "beacon", at), Some(5));
    }

    #[test]
    fn findings_without_a_remote_match_any_only() {
        assert_eq!(line("10.9.9.9", "none", 1, 6, "port_scan", "2024-04-19"), Some(6));
        assert_eq!(line("10.1.2.3", "none", 443, 6, "beacon", "2024-04-19"), None);
    }

    #[test]
    fn entries_end_with_their_last_day_and_are_reported() {
        assert_eq!(line("10.0.0.1", "198.51.100.7", 1, 6, "beacon", "2026-12-31T23:59:59Z"), Some(4));
        assert_eq!(line("10.0.0.1", "198.51.100.7", 1, 6, "beacon", "2027-01-01"), None);
        assert_eq!(line("10.0.0.1", "2001:db8::1", 1, 6, "x", "2024-04-19T06:00:00Z"), Some(7));
        let expired = list().expired(parse_time("2025-01-01", 0).unwrap());
        assert_eq!(
            expired.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["allow.txt:7: ignored `2001:db8::/32 protocol=6 until=2024-04-19T06:00:00Z`: it has expired; \
              expected a later `until=`, or the entry removed"]
        );
    }

    #[test]
    fn reasons_name_the_place_and_the_comment() {
        let list = list();
        assert_eq!(list.entries()[0].reason(), "allowed by allow.txt:3: nightly backup");
        assert_eq!(
            list.entries()[1].reason(),
            "allowed by allow.txt:4: `198.51.100.7 detection=beacon until=2026-12-31`"
        );
        assert_eq!(list.entries()[3].comment.as_deref(), Some("scanner"));
        assert_eq!(list.detections(), ["beacon", "port_scan"]);
    }

    #[test]
    fn wrong_lines_are_refused_with_their_place() {
        for (text, message) in [
            (
                "\nport=443",
                "a:2: got `port=443`, expected first an address, a network or `any`, such as \
                            `203.0.113.0/24 port=443 # backup`",
            ),
            ("any port=70000", "a:1: got `port=70000`, expected `port=` with a number from 0 to 65535"),
            (
                "any prot=6",
                "a:1: got `prot=6`, expected one of `port=`, `protocol=`, `host=`, `detection=`, \
                            `until=`, each at most once",
            ),
            (
                "any port=1 port=2",
                "a:1: got `port=2`, expected one of `port=`, `protocol=`, `host=`, \
                                   `detection=`, `until=`, each at most once",
            ),
            (
                "any until=soon",
                "a:1: got `until=soon`, expected `until=` with a date or an RFC 3339 time, such as \
                                until=2026-12-31",
            ),
            (
                "any host=here",
                "a:1: got `host=here`, expected `host=` with an address or a network, such as \
                               host=10.1.0.0/16",
            ),
        ] {
            let error = AllowList::default().add(Path::new("a"), text).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }
}
