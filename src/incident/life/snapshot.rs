//! The state after a run, as it is kept: JSON Lines below a header with a checksum.

use crate::incident::model::Incident;
use crate::incident::weight::Rates;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

const VERSION: u32 = 1;

/// What is known of incidents after a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Snapshot {
    /// Open incidents, and ended ones that may return, by age.
    pub incidents: Vec<Incident>,
    /// Ids that must not be given again, each with the end of the window of the run that changed it last.
    pub past: BTreeMap<String, i64>,
    /// How often benign hosts showed each kind of evidence.
    pub rates: Rates,
    /// The end of the last window that the rates were learnt from; windows that reach before it teach nothing new.
    pub learnt_until_s: Option<i64>,
}

/// The name of a kept snapshot: window, source and checksum. Other content has another name, so that a reader never meets
/// a file that changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SnapshotName {
    /// First second after the window.
    pub(super) to_s: i64,
    /// First second of the window.
    pub(super) from_s: i64,
    /// A hash of what names the logs.
    pub(super) source: u64,
    /// CRC-32 of the content, in hex.
    pub(super) crc32: String,
}

impl fmt::Display for SnapshotName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:010}-{:010}-{:016x}-{}.jsonl", self.to_s, self.from_s, self.source, self.crc32)
    }
}

/// A text is no name of a snapshot.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotASnapshot;

impl FromStr for SnapshotName {
    type Err = NotASnapshot;

    fn from_str(text: &str) -> Result<Self, NotASnapshot> {
        let parts: Vec<&str> = text.strip_suffix(".jsonl").ok_or(NotASnapshot)?.split('-').collect();
        let [to, from, source, crc32] = parts[..] else { return Err(NotASnapshot) };
        let second = |text: &str| text.parse::<i64>().map_err(|_| NotASnapshot);
        let source = u64::from_str_radix(source, 16).map_err(|_| NotASnapshot)?;
        Ok(Self { to_s: second(to)?, from_s: second(from)?, source, crc32: crc32.to_owned() })
    }
}

/// The first line of a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    version: u32,
    /// First second of the window.
    from_s: i64,
    /// First second after the window.
    to_s: i64,
    /// CRC-32 of window and source, as in the file's name, and all lines that follow.
    crc32: String,
}

/// A line below the header.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    Incident(Box<Incident>),
    Past(String, i64),
    Rates { rates: Rates, learnt_until_s: Option<i64> },
}

impl Snapshot {
    /// Returns the snapshot as a file, and its name.
    ///
    /// # Errors
    /// When a value cannot be written as JSON.
    pub(super) fn written(
        &self,
        window_s: (i64, i64),
        source: u64,
    ) -> Result<(Bytes, SnapshotName), serde_json::Error> {
        let rates = Line::Rates { rates: self.rates.clone(), learnt_until_s: self.learnt_until_s };
        let past = self.past.iter().map(|(id, changed_s)| Line::Past(id.clone(), *changed_s));
        let incidents = self.incidents.iter().map(|incident| Line::Incident(Box::new(incident.clone())));
        let mut body = Vec::new();
        for line in std::iter::once(rates).chain(past).chain(incidents) {
            serde_json::to_writer(&mut body, &line)?;
            body.push(b'\n');
        }
        let (from_s, to_s) = window_s;
        let crc32 = sum_of(from_s, to_s, source, &body);
        let mut file = serde_json::to_vec(&Header { version: VERSION, from_s, to_s, crc32: crc32.clone() })?;
        file.push(b'\n');
        file.append(&mut body);
        Ok((file.into(), SnapshotName { to_s, from_s, source, crc32 }))
    }

    /// Reads a file; `None` when it is damaged, or not what its name says.
    pub(super) fn parsed(name: &SnapshotName, file: &[u8]) -> Option<Self> {
        let end = file.iter().position(|byte| *byte == b'\n')?;
        let (header, body) = (&file[..end], &file[end + 1..]);
        let crc32 = sum_of(name.from_s, name.to_s, name.source, body);
        let expected = Header { version: VERSION, from_s: name.from_s, to_s: name.to_s, crc32 };
        if name.crc32 != expected.crc32 || serde_json::from_slice::<Header>(header).ok()? != expected {
            return None;
        }
        let mut snapshot = Self::default();
        for line in serde_json::Deserializer::from_slice(body).into_iter::<Line>() {
            match line.ok()? {
                Line::Incident(incident) => snapshot.incidents.push(*incident),
                Line::Past(id, changed_s) => {
                    snapshot.past.insert(id, changed_s);
                }
                Line::Rates { rates, learnt_until_s } => {
                    (snapshot.rates, snapshot.learnt_until_s) = (rates, learnt_until_s);
                }
            }
        }
        Some(snapshot)
    }
}

fn sum_of(from_s: i64, to_s: i64, source: u64, body: &[u8]) -> String {
    let mut sum = libdeflater::Crc::new();
    sum.update(format!("{from_s}-{to_s}-{source:016x}\n").as_bytes());
    sum.update(body);
    format!("{:08x}", sum.sum())
}

#[cfg(test)]
mod tests {
    use super::super::examples::{incident, seen};
    use super::*;
    use crate::detect::Severity;
    use crate::incident::kind::Kind;

    fn example() -> Snapshot {
        Snapshot {
            incidents: vec![incident("1", &["10.0.0.1"], &["s"]), seen("2", &["2001:db8::1"], &["t"], 5, 70)],
            past: [("3".repeat(32), 60)].into(),
            rates: Rates { host_windows: 7, shown: [(Kind::Odd, [(Severity::Low, 2)].into())].into() },
            learnt_until_s: Some(60),
        }
    }

    #[test]
    fn a_snapshot_comes_back_as_it_was() {
        let (file, name) = example().written((0, 60), 9).unwrap();
        assert_eq!(name.to_string().parse(), Ok(name.clone()));
        let read = Snapshot::parsed(&name, &file).unwrap();
        assert_eq!(read, example());
        assert_eq!(read.written((0, 60), 9).unwrap(), (file, name));
        for text in ["HEAD.json", "1-2-3.jsonl", "a-0-0-0.jsonl", "60-0-0000000000000009-12.json"] {
            assert_eq!(text.parse::<SnapshotName>(), Err(NotASnapshot));
        }
    }

    #[test]
    fn damage_is_seen() {
        let (file, name) = example().written((0, 60), 9).unwrap();
        assert_eq!(Snapshot::parsed(&SnapshotName { to_s: 120, ..name.clone() }, &file), None);
        for at in (0..file.len()).step_by(7) {
            let mut damaged = file.to_vec();
            damaged[at] ^= 1;
            assert_eq!(Snapshot::parsed(&name, &damaged), None, "byte {at}");
            assert_eq!(Snapshot::parsed(&name, &file[..at]), None, "cut at {at}");
        }
    }
}
