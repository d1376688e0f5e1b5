//! Reads one indicator feed: plain lists, CSV, Feodo Tracker, Spamhaus DROP. The content determines the format.

use std::borrow::Cow;
use std::path::Path;

use serde::Deserialize;

use super::error::{IntelError, Warning, WarningKind, WarningTally, shorten};
use super::internal::InternalNetworks;
use super::row::split_row;
use flow::time;
use flow::{Address, Network};

/// Confidence of an entry whose feed states none, 0–100.
pub const DEFAULT_CONFIDENCE: u8 = 50;
/// Confidence of a Feodo Tracker server seen online by the tracker itself, 0–100.
pub const FEODO_ONLINE_CONFIDENCE: u8 = 90;
/// Confidence of a Feodo Tracker server that no longer answers, 0–100: proven once, but the address may be reused.
pub const FEODO_OFFLINE_CONFIDENCE: u8 = 75;
/// IPv4 indicators with fewer prefix bits are refused: they would match a large part of the internet.
pub const SHORTEST_V4_PREFIX: u8 = 8;
/// IPv6 indicators with fewer prefix bits are refused: even 16 bits hold blocks of several regional registries. Those that
/// hold `::ffff:0:0/96`, which is all of IPv4, are refused as well.
pub const SHORTEST_V6_PREFIX: u8 = 16;

const EXPECTED_LINE: &str = "an address or network, such as 203.0.113.7, 203.0.113.7:443 or 203.0.113.0/24";
const EXPECTED_CSV: &str = "a row with an address or network, port 0–65535, confidence 0–100 and times such as \
     2024-04-19 or 2024-04-19T06:00:00Z";
const EXPECTED_JSON: &str = "a JSON array of objects with `ip_address` and `port` (Feodo Tracker), or one object with \
     `cidr` a line (Spamhaus DROP)";
const EXPECTED_NETWORK: &str = "IPv4 networks of /8 or longer and IPv6 networks of /16 or longer";
const EXPECTED_PUBLIC: &str = "public addresses";

/// One indicator as a feed states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedEntry {
    /// The listed addresses.
    pub network: Network,
    /// The listed service port; `None` for any.
    pub port: Option<u16>,
    /// How sure the feed is, 0–100.
    pub confidence: u8,
    /// First valid second; `None` when unbounded.
    pub valid_from_s: Option<i64>,
    /// Last valid second; `None` when unbounded.
    pub valid_until_s: Option<i64>,
    /// The list's own name for its source; `None` when the file's name is to be used.
    pub source: Option<String>,
    /// The malware or listing the feed names.
    pub malware: Option<String>,
}

impl FeedEntry {
    fn new(network: Network, port: Option<u16>) -> Self {
        Self {
            network,
            port,
            confidence: DEFAULT_CONFIDENCE,
            valid_from_s: None,
            valid_until_s: None,
            source: None,
            malware: None,
        }
    }
}

/// Reads the text of a feed; `path` is for messages only.
///
/// Returns the usable entries, and warnings about those that were left out.
///
/// # Errors
/// [`IntelError::NothingReadable`] when the text has entries and none can be read.
pub fn parse_feed(text: &str, path: &Path) -> Result<(Vec<FeedEntry>, Vec<Warning>), IntelError> {
    let mut feed =
        Feed { tally: WarningTally::new(path), entries: Vec::new(), tried: 0, private: InternalNetworks::default() };
    let start = text.trim_start();
    let expected = match start.chars().next() {
        Some('[') => feed.read_feodo_json(text),
        Some('{') => feed.read_json_lines(text),
        _ => match FeedColumns::sniff(text) {
            Some(columns) => feed.read_csv(text, &columns),
            None => feed.read_lines(text),
        },
    };
    let warnings = feed.tally.finish(feed.tried, expected)?;
    Ok((feed.entries, warnings))
}

/// Returns whether a line is blank or a comment.
fn is_comment(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with(['#', ';'])
}

/// Reads `address`, `network`, `address:port` or `[address]:port`.
fn parse_indicator(text: &str) -> Option<(Network, Option<u16>)> {
    if let Ok(network) = text.parse::<Network>() {
        return Some((network, None));
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:")?,
        None => text.split_once(':')?,
    };
    Some((address.parse().ok()?, Some(port.parse().ok()?)))
}

/// Reads a CSV time of validity: RFC 3339, a date, or the `2024-04-19 06:00:00` that trackers write in UTC.
///
/// A date alone means its first second, or its last one with `end_of_day`.
pub(crate) fn parse_valid_time(text: &str, end_of_day: bool) -> Option<i64> {
    let text = text.trim();
    if !text.starts_with(|c: char| c.is_ascii_digit()) || text.len() < 10 {
        return None;
    }
    let text = text.trim_end_matches(" UTC");
    if text.len() == 10 {
        let midnight_s = time::parse_time(text, 0).ok()?;
        return Some(if end_of_day { midnight_s + time::DAY_S - 1 } else { midnight_s });
    }
    let rfc3339 = text.replacen(' ', "T", 1);
    time::parse_time(&rfc3339, 0).or_else(|_| time::parse_time(&format!("{rfc3339}Z"), 0)).ok()
}

/// Where the wanted columns of a CSV feed are.
#[derive(Debug)]
struct FeedColumns {
    has_header: bool,
    indicator: usize,
    port: Option<usize>,
    confidence: Option<usize>,
    valid_from: Option<usize>,
    valid_until: Option<usize>,
    source: Option<usize>,
    status: Option<usize>,
    malware: Option<usize>,
}

impl FeedColumns {
    /// Finds the columns by the first row that is not a comment; `None` when the text is not a CSV feed.
    fn sniff(text: &str) -> Option<Self> {
        let line = text.lines().find(|line| !is_comment(line))?;
        let fields: Vec<String> =
            line.split(',').map(|field| field.trim().trim_matches('"').to_ascii_lowercase()).collect();
        let column = |names: &[&str]| fields.iter().position(|field| names.contains(&field.as_str()));
        if let Some(indicator) = column(&["indicator", "dst_ip", "ip_address", "ip", "cidr", "address"]) {
            return Some(Self {
                has_header: true,
                indicator,
                port: column(&["port", "dst_port"]),
                confidence: column(&["confidence"]),
                valid_from: column(&["valid_from"]),
                valid_until: column(&["valid_until"]),
                source: column(&["source"]),
                status: column(&["c2_status", "status"]),
                malware: column(&["malware"]),
            });
        }
        // Some copies of the Feodo Tracker list carry the header as a comment, or none.
        let is_feodo = fields.len() == 6 && parse_indicator(&fields[1]).is_some() && fields[2].parse::<u16>().is_ok();
        is_feodo.then_some(Self {
            has_header: false,
            indicator: 1,
            port: Some(2),
            confidence: None,
            valid_from: None,
            valid_until: None,
            source: None,
            status: Some(3),
            malware: Some(5),
        })
    }

    fn entry(&self, row: &[Cow<'_, str>]) -> Option<FeedEntry> {
        let field = |index: Option<usize>| {
            index.and_then(|index| row.get(index)).map(Cow::as_ref).filter(|text| !text.is_empty())
        };
        let (network, port) = parse_indicator(field(Some(self.indicator))?)?;
        let mut entry = FeedEntry::new(network, port);
        if let Some(text) = field(self.port) {
            entry.port = Some(text.parse().ok()?);
        }
        if self.status.is_some() {
            entry.confidence = feodo_confidence(field(self.status));
        }
        if let Some(text) = field(self.confidence) {
            entry.confidence = text.parse().ok().filter(|confidence| *confidence <= 100)?;
        }
        if let Some(text) = field(self.valid_from) {
            entry.valid_from_s = Some(parse_valid_time(text, false)?);
        }
        if let Some(text) = field(self.valid_until) {
            entry.valid_until_s = Some(parse_valid_time(text, true)?);
        }
        entry.source = field(self.source).map(str::to_owned);
        entry.malware = field(self.malware).map(str::to_owned);
        Some(entry)
    }
}

/// Returns the port of a tracker's list; port 0 there means that none is known.
fn known_port(port: u16) -> Option<u16> {
    Some(port).filter(|port| *port != 0)
}

fn feodo_confidence(status: Option<&str>) -> u8 {
    match status {
        Some("online") => FEODO_ONLINE_CONFIDENCE,
        _ => FEODO_OFFLINE_CONFIDENCE,
    }
}

/// One object of the Feodo Tracker JSON array; its other fields are not needed.
#[derive(Debug, Deserialize)]
struct FeodoObject {
    ip_address: String,
    port: Option<u16>,
    status: Option<String>,
    malware: Option<String>,
}

/// One line of the Spamhaus DROP JSON lists; the last line carries their terms and no network.
#[derive(Debug, Deserialize)]
struct DropObject {
    cidr: Option<String>,
    sblid: Option<String>,
}

/// A feed being read.
struct Feed {
    tally: WarningTally,
    entries: Vec<FeedEntry>,
    tried: u64,
    private: InternalNetworks,
}

impl Feed {
    fn accept(&mut self, line: u64, got: &str, entry: Option<FeedEntry>, expected: &'static str) {
        self.tried += 1;
        let Some(mut entry) = entry else {
            self.tally.add(WarningKind::Unreadable, line, got, expected);
            return;
        };
        entry.port = entry.port.and_then(known_port);
        let network = entry.network;
        let shortest = if network.first().is_v4() { SHORTEST_V4_PREFIX } else { SHORTEST_V6_PREFIX };
        let is_local = network.first().is_local_scope() && network.last().is_local_scope();
        // IPv4 is v4-mapped here, so an IPv6 network may hold all of it.
        let holds_v4 = !network.first().is_v4() && network.contains(Address::from_v4_bits(0));
        if network.prefix_len() < shortest || holds_v4 {
            self.tally.add(WarningKind::TooBroad, line, got, EXPECTED_NETWORK);
        } else if self.private.contains_all(network) || is_local {
            self.tally.add(WarningKind::Private, line, got, EXPECTED_PUBLIC);
        } else {
            self.entries.push(entry);
        }
    }

    fn read_lines(&mut self, text: &str) -> &'static str {
        for (index, line) in text.lines().enumerate() {
            if is_comment(line) {
                continue;
            }
            let (content, remark) = match line.find(['#', ';']) {
                Some(cut) => (&line[..cut], line[cut + 1..].trim()),
                None => (line, ""),
            };
            let token = content.split_whitespace().next().unwrap_or_default();
            let entry = parse_indicator(token).map(|(network, port)| {
                let mut entry = FeedEntry::new(network, port);
                // Spamhaus writes the listing's number behind the network: it is what an analyst looks up.
                entry.malware = Some(shorten(remark)).filter(|remark| remark.starts_with("SBL"));
                entry
            });
            self.accept(index as u64 + 1, line, entry, EXPECTED_LINE);
        }
        EXPECTED_LINE
    }

    fn read_csv(&mut self, text: &str, columns: &FeedColumns) -> &'static str {
        let mut is_header = columns.has_header;
        for (index, line) in text.lines().enumerate() {
            if is_comment(line) {
                continue;
            }
            if std::mem::take(&mut is_header) {
                continue;
            }
            let entry = split_row(line).and_then(|row| columns.entry(&row));
            self.accept(index as u64 + 1, line, entry, EXPECTED_CSV);
        }
        EXPECTED_CSV
    }

    fn read_feodo_json(&mut self, text: &str) -> &'static str {
        let values: Vec<serde_json::Value> = match serde_json::from_str(text) {
            Ok(values) => values,
            Err(error) => {
                let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
                self.accept(error.line() as u64, line, None, EXPECTED_JSON);
                return EXPECTED_JSON;
            }
        };
        for (index, value) in values.into_iter().enumerate() {
            let got = value.to_string();
            let entry = serde_json::from_value::<FeodoObject>(value).ok().and_then(|object| {
                let mut entry = FeedEntry::new(object.ip_address.parse().ok()?, object.port);
                entry.confidence = feodo_confidence(object.status.as_deref());
                entry.malware = object.malware;
                Some(entry)
            });
            // An array has no lines of its own: the place is the element, counted from 1.
            self.accept(index as u64 + 1, &got, entry, EXPECTED_JSON);
        }
        EXPECTED_JSON
    }

    fn read_json_lines(&mut self, text: &str) -> &'static str {
        for (index, line) in text.lines().enumerate() {
            if is_comment(line) {
                continue;
            }
            let object = serde_json::from_str::<DropObject>(line).ok();
            if object.as_ref().is_some_and(|object| object.cidr.is_none() && line.contains("\"metadata\"")) {
                continue;
            }
            let entry = object.and_then(|object| {
                let mut entry = FeedEntry::new(object.cidr?.parse().ok()?, None);
                entry.malware = object.sblid;
                Some(entry)
            });
            self.accept(index as u64 + 1, line, entry, EXPECTED_JSON);
        }
        EXPECTED_JSON
    }
}

#[cfg(test)]
mod tests;
