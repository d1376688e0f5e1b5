//! Verdicts: what people decided about incidents, findings, hosts and remotes.
//!
//! A file of verdicts is CSV with the header `kind,value,verdict,until,by,note`:
//!
//! ```text
//! kind,value,verdict,until,by,note
//! incident,0f3c…,resolved,2026-12-31,alice,host rebuilt
//! subject,77ab…,false_positive,2027-03-31,bob,licence server
//! host,111122223333/10.0.5.20,benign,2026-12-31,bob,scanner of the security team
//! remote,203.0.113.0/24,benign,2026-12-31,alice,"backup provider, ticket 42"
//! ```
//!
//! | column | content |
//! | --- | --- |
//! | `kind` | what the verdict is about: `incident`, `subject`, `host` or `remote` |
//! | `value` | the `id` of an incident, the `subject` of a finding, an address or a network; before a host's, `ACCOUNT/` may stand |
//! | `verdict` | `false_positive` (nothing happened), `benign` (it happened and is wanted) or `resolved` (it was dealt with) |
//! | `until` | last valid day (UTC, included) or moment (RFC 3339) of what is judged; required |
//! | `by` | who decided; may be empty |
//! | `note` | why; may be empty |
//!
//! Empty lines and lines that begin with `#` do not count. A finding that a false positive or benign verdict covers is
//! lowered with the reason, never hidden. `resolved` is for incidents only, and lowers nothing: what returns is news.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{IntelError, Warning, WarningKind, read_text, shorten};
use super::feed::parse_valid_time;
use super::row::split_row;
use flow::{Address, Network, time};

const COLUMNS: [&str; 6] = ["kind", "value", "verdict", "until", "by", "note"];
const EXPECTED_HEADER: &str = "the header `kind,value,verdict,until,by,note`";
const EXPECTED_FIELDS: &str = "6 fields as in the header; fields with commas in double quotes";
const EXPECTED_KIND: &str = "the kind `incident`, `subject`, `host` or `remote`";
const EXPECTED_HASH: &str = "32 hex characters, as `id` of incidents and `subject` of findings have";
const EXPECTED_HOST: &str = "an address or a network, such as 10.0.5.20 or 111122223333/10.0.5.20";
const EXPECTED_REMOTE: &str = "an address or a network, such as 203.0.113.7 or 203.0.113.0/24";
const EXPECTED_VERDICT: &str = "the verdict `false_positive`, `benign` or `resolved`";
const EXPECTED_LASTING: &str = "the verdict `false_positive` or `benign`; `resolved` is for incidents only";
const EXPECTED_UNTIL: &str = "the last valid day or moment, such as 2026-12-31; it is required";
const EXPECTED_RENEWED: &str = "a later `until`, or the line removed";

/// What a person decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing happened.
    FalsePositive,
    /// It happened and is wanted.
    Benign,
    /// It was dealt with.
    Resolved,
}

impl Verdict {
    /// Returns the verdict in words, for sentences.
    pub const fn words(self) -> &'static str {
        match self {
            Verdict::FalsePositive => "false positive",
            Verdict::Benign => "benign",
            Verdict::Resolved => "resolved",
        }
    }

    /// Returns whether what it covers is nothing to worry about, now and later.
    pub const fn lowers(self) -> bool {
        matches!(self, Verdict::FalsePositive | Verdict::Benign)
    }
}

/// What a verdict is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judged {
    /// The incident of this `id`.
    Incident(String),
    /// The findings of this `subject`.
    Subject(String),
    /// Monitored hosts.
    Host {
        /// The AWS account; `None` for any.
        account_id: Option<String>,
        /// Their addresses.
        network: Network,
    },
    /// Other sides.
    Remote(Network),
}

/// A line of a file of verdicts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictEntry {
    /// The file as given.
    pub path: PathBuf,
    /// The line, counted from 1.
    pub line: u64,
    /// What it is about.
    pub judged: Judged,
    /// What was decided.
    pub verdict: Verdict,
    /// The last valid second.
    pub until_s: i64,
    /// Who decided; empty where the file does not say.
    pub by: String,
    /// Why; empty where the file does not say.
    pub note: String,
    /// The line as written.
    pub text: String,
}

impl VerdictEntry {
    /// Returns the reason as it stands in a finding, such as `benign by verdicts.csv:3 (alice): backup provider`.
    pub fn reason(&self) -> String {
        let mut reason = format!("{} by {}:{}", self.verdict.words(), self.path.display(), self.line);
        if !self.by.is_empty() {
            reason.push_str(&format!(" ({})", self.by));
        }
        if !self.note.is_empty() {
            reason.push_str(&format!(": {}", self.note));
        }
        reason
    }

    /// Returns whether it still counts for what was last seen at a second.
    pub fn is_valid_at(&self, at_s: i64) -> bool {
        at_s <= self.until_s
    }
}

/// The facts of a finding that verdicts ask for.
#[derive(Debug, Clone, Copy)]
pub struct Suspect<'a> {
    /// The finding's `subject`.
    pub subject: &'a str,
    /// The AWS account.
    pub account_id: Option<&'a str>,
    /// The monitored side.
    pub host: Option<Address>,
    /// The other side.
    pub remote: Option<Address>,
    /// When it was last seen, in seconds since 1970.
    pub at_s: i64,
}

/// What people decided, in the order of the files; the first line that covers something counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdicts {
    entries: Vec<VerdictEntry>,
    /// The ids of the judged incidents that a subject belongs to.
    of_incidents: BTreeMap<String, Vec<String>>,
}

impl Verdicts {
    /// Reads files of verdicts.
    ///
    /// They are written by hand and decide what is lowered, so any line that is not exactly right is an error.
    ///
    /// # Errors
    /// [`IntelError::Read`] when a file cannot be read, [`IntelError::Line`] for the first line that is wrong.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, IntelError> {
        let mut verdicts = Self::default();
        for path in paths {
            verdicts.add(path.as_ref(), &read_text(path.as_ref())?)?;
        }
        Ok(verdicts)
    }

    /// Adds the lines of a text; the path is for reasons and messages only.
    ///
    /// # Errors
    /// [`IntelError::Line`] for the first line that is wrong.
    pub fn add(&mut self, path: &Path, text: &str) -> Result<(), IntelError> {
        let mut has_header = false;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = index as u64 + 1;
            let wrong = |(got, expected): (String, &'static str)| IntelError::Line {
                path: path.to_owned(),
                line: at,
                got: shorten(&got),
                expected,
            };
            if !has_header {
                let fields = split_row(line).unwrap_or_default();
                if fields != COLUMNS {
                    return Err(wrong((line.to_owned(), EXPECTED_HEADER)));
                }
                has_header = true;
                continue;
            }
            self.entries.push(parse_line(path, at, line).map_err(wrong)?);
        }
        Ok(())
    }

    /// Returns all entries in the order of the files.
    pub fn entries(&self) -> &[VerdictEntry] {
        &self.entries
    }

    /// Returns the first valid entry that names an incident.
    pub fn of_incident(&self, id: &str, at_s: i64) -> Option<&VerdictEntry> {
        self.valid(at_s).find(|entry| matches!(&entry.judged, Judged::Incident(of) if of == id))
    }

    /// Lets the verdict about an incident count for its findings, by their subjects.
    pub fn cover<'a>(&mut self, id: &str, subjects: impl IntoIterator<Item = &'a String>) {
        if self.entries.iter().any(|entry| matches!(&entry.judged, Judged::Incident(of) if of == id)) {
            for subject in subjects {
                self.of_incidents.entry(subject.clone()).or_default().push(id.to_owned());
            }
        }
    }

    /// Returns the first valid entry by which a finding is nothing to worry about.
    pub fn lowering(&self, suspect: &Suspect<'_>) -> Option<&VerdictEntry> {
        let incidents = self.of_incidents.get(suspect.subject).map_or(&[][..], Vec::as_slice);
        let covers = |entry: &&VerdictEntry| match &entry.judged {
            Judged::Incident(id) => incidents.contains(id),
            Judged::Subject(subject) => subject == suspect.subject,
            Judged::Host { .. } => suspect.host.is_some_and(|host| entry.covers_host(suspect.account_id, host)),
            Judged::Remote(_) => suspect.remote.is_some_and(|remote| entry.covers_remote(remote)),
        };
        self.valid(suspect.at_s).filter(|entry| entry.verdict.lowers()).find(covers)
    }

    /// Returns the entries that count for what was last seen at a second.
    pub fn valid(&self, at_s: i64) -> impl Iterator<Item = &VerdictEntry> {
        self.entries.iter().filter(move |entry| entry.is_valid_at(at_s))
    }

    /// Returns one warning for each entry that has expired at the second `at_s`.
    pub fn expired(&self, at_s: i64) -> Vec<Warning> {
        let expired = self.entries.iter().filter(|entry| !entry.is_valid_at(at_s));
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
}

impl VerdictEntry {
    /// Returns whether it is about a host.
    pub fn covers_host(&self, account_id: Option<&str>, host: Address) -> bool {
        match &self.judged {
            Judged::Host { account_id: of, network } => {
                network.contains(host) && of.as_deref().is_none_or(|of| account_id == Some(of))
            }
            _ => false,
        }
    }

    /// Returns whether it is about a remote.
    pub fn covers_remote(&self, remote: Address) -> bool {
        matches!(&self.judged, Judged::Remote(network) if network.contains(remote))
    }
}

/// Reads a line below the header. The error holds the text that was found and what was expected.
fn parse_line(path: &Path, at: u64, line: &str) -> Result<VerdictEntry, (String, &'static str)> {
    let wrong = |expected| (line.to_owned(), expected);
    let fields = split_row(line).filter(|fields| fields.len() == COLUMNS.len()).ok_or(wrong(EXPECTED_FIELDS))?;
    let text = |index: usize| fields[index].as_ref();
    let hash = || {
        let value = text(1).to_ascii_lowercase();
        let is_hash = value.len() == 32 && value.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hash { Ok(value) } else { Err((text(1).to_owned(), EXPECTED_HASH)) }
    };
    let judged = match text(0) {
        "incident" => Judged::Incident(hash()?),
        "subject" => Judged::Subject(hash()?),
        "host" => parse_host(text(1)).ok_or((text(1).to_owned(), EXPECTED_HOST))?,
        "remote" => Judged::Remote(text(1).parse().map_err(|_| (text(1).to_owned(), EXPECTED_REMOTE))?),
        other => return Err((other.to_owned(), EXPECTED_KIND)),
    };
    let verdict = match text(2) {
        "false_positive" => Verdict::FalsePositive,
        "benign" => Verdict::Benign,
        "resolved" => Verdict::Resolved,
        other => return Err((other.to_owned(), EXPECTED_VERDICT)),
    };
    if verdict == Verdict::Resolved && !matches!(judged, Judged::Incident(_)) {
        return Err((text(2).to_owned(), EXPECTED_LASTING));
    }
    let until_s = parse_valid_time(text(3), true).ok_or((text(3).to_owned(), EXPECTED_UNTIL))?;
    Ok(VerdictEntry {
        path: path.to_owned(),
        line: at,
        judged,
        verdict,
        until_s,
        by: shorten(text(4)),
        note: shorten(text(5)),
        text: line.to_owned(),
    })
}

/// Reads a host's address or network, behind the account where one is named.
fn parse_host(text: &str) -> Option<Judged> {
    let named = text
        .split_once('/')
        .filter(|(account, _)| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
    let (account_id, network) = named.map_or((None, text), |(account, rest)| (Some(account.to_owned()), rest));
    Some(Judged::Host { account_id, network: network.parse().ok()? })
}

impl std::fmt::Display for VerdictEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (until {})", self.reason(), time::rfc3339(self.until_s))
    }
}

#[cfg(test)]
mod tests;
