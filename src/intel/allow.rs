//! Allow-lists: contacts that the user knows and accepts.
//!
//! An allow-list is a text file with one entry per line:
//!
//! ```text
//! # remote            conditions                                                     comment
//! 203.0.113.0/24      port=443 protocol=tcp host=10.1.0.0/16                         # nightly backup, ticket 42
//! 198.51.100.7        detection=beacon until=2026-12-31                              # monitoring agent
//! any                 port=123 protocol=udp                                          # time servers
//! any                 owner="Example Backup" port=443,8400-8499                      # backup agent
//! ```
//!
//! | word | meaning |
//! | --- | --- |
//! | first | the remote: an address, a network in CIDR notation, or `any` (also findings without a remote) |
//! | `port=` | the service's port, 0–65535, a range or several with commas; without it any |
//! | `protocol=` | `tcp`, `udp`, … or the IANA number; without it any |
//! | `host=` | the monitored side: an address or a network; without it any |
//! | `owner=` | part of the name of the remote network's owner (`--networks`), any case; quoted when it has spaces |
//! | `asn=` | the number of the remote network's autonomous system (`--networks`) |
//! | `detection=` | the detection's name; without it all detections |
//! | `until=` | last valid day (UTC, included) or moment (RFC 3339) of what is judged; without it for ever |
//! | `#` | the reason, shown with each finding that the entry lowers |
//!
//! All conditions of an entry must hold. A finding that is allowed is lowered with the reason, never hidden. An entry
//! applies to what was last seen before it expired; an entry that expires before the end of the window is reported.

use std::path::{Path, PathBuf};

use super::error::{IntelError, Warning, WarningKind, read_text, shorten};
use super::feed::parse_valid_time;
use super::networks::NetworkOwner;
use flow::{Address, Network, codes, time};

const EXPECTED_REMOTE: &str = "first an address, a network or `any`, such as `203.0.113.0/24 port=443 # backup`";
const EXPECTED_CONDITION: &str =
    "one of `port=`, `protocol=`, `host=`, `owner=`, `asn=`, `detection=`, `until=`, each at most once";
const EXPECTED_PORT: &str = "`port=` with numbers from 0 to 65535 or ranges, such as port=443 or port=80,8000-8100";
const EXPECTED_OWNER: &str = "`owner=` with a part of the owner's name, such as owner=example or owner=\"Example Inc\"";
const EXPECTED_ASN: &str = "`asn=` with a number, such as asn=64500";
const EXPECTED_PROTOCOL: &str = "`protocol=` with tcp, udp, icmp or an IANA number from 0 to 255";
const EXPECTED_HOST: &str = "`host=` with an address or a network, such as host=10.1.0.0/16";
const EXPECTED_DETECTION: &str = "`detection=` with the name of a detection, such as detection=beacon";
const EXPECTED_UNTIL: &str = "`until=` with a date or an RFC 3339 time, such as until=2026-12-31";
const EXPECTED_RENEWED: &str = "a later `until=`, or the entry removed";

/// The facts of a finding that entries have conditions on.
#[derive(Debug, Clone, Copy)]
pub struct Contact<'a> {
    /// The monitored side; `None` for findings about none.
    pub host: Option<Address>,
    /// The other side; `None` for findings about the host as a whole.
    pub remote: Option<Address>,
    /// The service's port; `None` where several.
    pub port: Option<u16>,
    /// The IANA protocol number; `None` where several.
    pub protocol: Option<u8>,
    /// The owner of the remote's network, where known.
    pub owner: Option<NetworkOwner<'a>>,
    /// The detection's name.
    pub detection: &'a str,
    /// When it was last seen, in seconds since 1970.
    pub at_s: i64,
}

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
    /// The service's ports, both ends included; empty for any.
    pub ports: Vec<(u16, u16)>,
    /// The IANA protocol number; `None` for any.
    pub protocol: Option<u8>,
    /// A part of the remote network's owner in lower case; `None` for any.
    pub owner: Option<String>,
    /// The remote network's autonomous system; `None` for any.
    pub asn: Option<u32>,
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

    fn holds(&self, contact: &Contact<'_>) -> bool {
        let names = |owner: &str| owner.to_lowercase().contains(self.owner.as_deref().unwrap_or_default());
        self.remote.is_none_or(|network| contact.remote.is_some_and(|remote| network.contains(remote)))
            && self.host.is_none_or(|network| contact.host.is_some_and(|host| network.contains(host)))
            && (self.ports.is_empty() || contact.port.is_some_and(|port| self.has_port(port)))
            && (self.protocol.is_none() || self.protocol == contact.protocol)
            && (self.owner.is_none() || contact.owner.is_some_and(|network| names(network.owner)))
            && (self.asn.is_none() || contact.owner.is_some_and(|network| network.asn == self.asn))
            && self.detection.as_deref().is_none_or(|wanted| wanted == contact.detection)
    }

    fn has_port(&self, port: u16) -> bool {
        self.ports.iter().any(|(first, last)| (*first..=*last).contains(&port))
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
    /// They are written by hand and decide which findings are lowered, so any line that is not exactly right is an error.
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
        for (index, line) in text.lines().enumerate() {
            let (content, comment) = match line.split_once('#') {
                Some((content, comment)) => (content.trim(), shorten(comment)),
                None => (line.trim(), String::new()),
            };
            if content.is_empty() {
                continue;
            }
            let mut entry = parse_entry(content).map_err(|(got, expected)| IntelError::Line {
                path: path.to_owned(),
                line: index as u64 + 1,
                got: shorten(got),
                expected,
            })?;
            entry.path = path.to_owned();
            entry.line = index as u64 + 1;
            entry.comment = Some(comment).filter(|comment| !comment.is_empty());
            self.entries.push(entry);
        }
        Ok(())
    }

    /// Returns all entries in the order of the files.
    pub fn entries(&self) -> &[AllowEntry] {
        &self.entries
    }

    /// Returns the first entry that accepts a contact at its time, or `None`.
    ///
    /// An entry with a condition on something that the contact lacks does not apply.
    pub fn allowed(&self, contact: &Contact<'_>) -> Option<&AllowEntry> {
        self.entries.iter().find(|entry| entry.holds(contact) && !entry.is_expired(contact.at_s))
    }

    /// Returns the first entry with a condition on the owner of the remote's network, which needs `--networks`.
    pub fn asks_owner(&self) -> Option<&AllowEntry> {
        self.entries.iter().find(|entry| entry.owner.is_some() || entry.asn.is_some())
    }

    /// Returns one warning for each entry that has expired at the second `at_s`.
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

    /// Returns the names of detections that entries name, sorted, so that misspelt ones can be reported.
    pub fn detections(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.entries.iter().filter_map(|entry| entry.detection.as_deref()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// Reads an entry without its comment. The error holds the text that was found and what was expected.
fn parse_entry(content: &str) -> Result<AllowEntry, (&str, &'static str)> {
    let mut words = words(content);
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
        ports: Vec::new(),
        protocol: None,
        owner: None,
        asn: None,
        detection: None,
        until_s: None,
        comment: None,
        text: content.to_owned(),
    };
    for word in words {
        let (key, value) = word.split_once('=').ok_or((word, EXPECTED_CONDITION))?;
        // A condition given twice would silently replace the first one.
        let is_new = match key {
            "port" => {
                let ports = parse_ports(value).ok_or((word, EXPECTED_PORT))?;
                std::mem::replace(&mut entry.ports, ports).is_empty()
            }
            "owner" => {
                let name = value.trim_matches('"').trim().to_lowercase();
                if name.is_empty() {
                    return Err((word, EXPECTED_OWNER));
                }
                entry.owner.replace(name).is_none()
            }
            "asn" => {
                let number = value.trim_start_matches("AS").parse().map_err(|_| (word, EXPECTED_ASN))?;
                entry.asn.replace(number).is_none()
            }
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

/// Splits at spaces outside of double quotes.
fn words(content: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    let parts = content.split(move |c: char| {
        quoted ^= c == '"';
        c.is_whitespace() && !quoted
    });
    parts.filter(|word| !word.is_empty())
}

/// Reads ports and ranges of ports, separated by commas.
fn parse_ports(text: &str) -> Option<Vec<(u16, u16)>> {
    let range = |part: &str| match part.split_once('-') {
        None => part.parse().ok().map(|port| (port, port)),
        Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)).filter(|(first, last)| first <= last),
    };
    text.split(',').map(range).collect()
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
mod tests;
