//! Indicators from feeds, and the best one for a contact.

use std::path::Path;

use super::error::{IntelError, Warning, read_text};
use super::feed::{FeedEntry, parse_feed};
use super::internal::InternalNetworks;
use super::list_category::ListCategory;
use super::ranges::RangeMap;
use flow::{Address, codes};

/// What the feeds know about one contact; the texts live as long as the [`Indicators`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndicatorHit<'a> {
    /// The feed's name: its own, or the file's name without folder.
    pub source: &'a str,
    /// The indicator as text, such as `203.0.113.7`, `203.0.113.7:443` or `203.0.113.0/24`.
    pub indicator: String,
    /// Whether the feed names a port and the contact used it.
    pub port_matched: bool,
    /// How sure the feed is, 0–100.
    pub confidence: u8,
    /// The malware or listing that the feed names.
    pub malware: Option<&'a str>,
    /// The category of the list.
    pub listing: ListCategory,
}

/// All indicators of a run, looked up by address in O(log n).
#[derive(Debug, Default)]
pub struct Indicators {
    map: RangeMap<Known>,
    sources: Vec<String>,
    warnings: Vec<Warning>,
    private: InternalNetworks,
}

/// One indicator and its feed.
#[derive(Debug)]
struct Known {
    source: u32,
    listing: ListCategory,
    entry: FeedEntry,
}

impl Indicators {
    /// Reads feed files of any known format: plain lists, CSV, Feodo Tracker CSV and JSON, Spamhaus DROP.
    ///
    /// Entries that cannot be used are left out and counted in [`Indicators::warnings`].
    ///
    /// # Errors
    /// [`IntelError::Read`] when a file cannot be read, [`IntelError::NothingReadable`] when it has entries and none
    /// of them can be read.
    pub fn load<P: AsRef<Path>>(paths: &[P]) -> Result<Self, IntelError> {
        let mut feeds = Vec::with_capacity(paths.len());
        for path in paths {
            feeds.push((path.as_ref(), read_text(path.as_ref())?));
        }
        Self::from_texts(feeds.iter().map(|(path, text)| (*path, text.as_str())))
    }

    /// Reads feeds from their texts; the path names the feed in hits and messages.
    ///
    /// # Errors
    /// [`IntelError::NothingReadable`] when a text has entries and none of them can be read.
    pub fn from_texts<'a>(feeds: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Result<Self, IntelError> {
        let mut sources: Vec<String> = Vec::new();
        let mut warnings = Vec::new();
        let mut known = Vec::new();
        for (path, text) in feeds {
            let file_name = path.file_name().map_or_else(|| path.to_string_lossy(), |name| name.to_string_lossy());
            let (entries, left_out) = parse_feed(text, path)?;
            warnings.extend(left_out);
            for mut entry in entries {
                let name = entry.source.take();
                let name = name.as_deref().unwrap_or(&file_name);
                // Entries of one source come together, so the last name is nearly always the right one.
                let source = match sources.iter().rposition(|source| source == name) {
                    Some(at) => at,
                    None => {
                        sources.push(name.to_owned());
                        sources.len() - 1
                    }
                };
                let listing = ListCategory::of(name, entry.malware.as_deref());
                known.push((entry.network, Known { source: source as u32, listing, entry }));
            }
        }
        Ok(Self { map: RangeMap::build(known), sources, warnings, private: InternalNetworks::default() })
    }

    /// Returns the warnings about entries that were left out: one for each file and reason.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Returns the number of indicators.
    pub fn len(&self) -> usize {
        self.map.len()
    }

    /// Returns whether there are no indicators.
    pub fn is_empty(&self) -> bool {
        self.map.is_empty()
    }

    /// Returns all indicators with the names of their feeds, by first address.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &FeedEntry)> {
        let source = |known: &Known| self.sources.get(known.source as usize).map_or("", String::as_str);
        self.map.iter().map(move |(_, known)| (source(known), &known.entry))
    }

    /// Returns the best indicator for a contact with `address` on the remote service `port` between `first_s` and
    /// `last_s` (seconds since 1970, both included).
    ///
    /// Best is: port matched, then the most specific network, then the highest confidence, then the first loaded.
    /// An indicator counts when its validity overlaps the contact. A feed that names another port still counts, with
    /// `port_matched` false. Ports count for TCP, UDP and SCTP, or when `protocol` is unknown. Private addresses
    /// never match, even inside a broad indicator. With a `listing`, only indicators of that category count: an address
    /// may be on lists of several categories, and the order of the feeds must not decide which one it has.
    pub fn lookup(
        &self,
        address: Address,
        port: Option<u16>,
        protocol: Option<u8>,
        first_s: i64,
        last_s: i64,
        listing: Option<ListCategory>,
    ) -> Option<IndicatorHit<'_>> {
        let has_ports = protocol.is_none_or(|protocol| matches!(protocol, codes::TCP | codes::UDP | 132));
        let port = port.filter(|_| has_ports);
        let mut best: Option<(bool, &Known)> = None;
        // Narrow blocks come first, so a later one wins only by its port.
        for (_, known) in self.map.matches(address) {
            let mut best_here: Option<((bool, u8), &Known)> = None;
            for candidate in known {
                let entry = &candidate.entry;
                let is_asked = listing.is_none_or(|listing| listing == candidate.listing);
                let is_valid = entry.valid_from_s.is_none_or(|from_s| from_s <= last_s)
                    && entry.valid_until_s.is_none_or(|until_s| first_s <= until_s);
                let rank = (entry.port.is_some() && entry.port == port, entry.confidence);
                if is_asked && is_valid && best_here.is_none_or(|(best, _)| rank > best) {
                    best_here = Some((rank, candidate));
                }
            }
            if let Some(((port_matched, _), candidate)) = best_here
                && best.is_none_or(|(best_matched, _)| port_matched && !best_matched)
            {
                best = Some((port_matched, candidate));
            }
            if best.is_some_and(|(port_matched, _)| port_matched) {
                break;
            }
        }
        let (port_matched, known) = best?;
        if self.private.contains(address) {
            return None;
        }
        let entry = &known.entry;
        let source = self.sources.get(known.source as usize).map_or("", String::as_str);
        Some(IndicatorHit {
            source,
            indicator: indicator_text(entry),
            port_matched,
            confidence: entry.confidence,
            malware: entry.malware.as_deref(),
            listing: known.listing,
        })
    }
}

fn indicator_text(entry: &FeedEntry) -> String {
    let (network, address) = (entry.network, entry.network.first());
    let is_single = address == network.last();
    match (entry.port, is_single, address.is_v4()) {
        (None, true, _) => address.to_string(),
        (None, false, _) => network.to_string(),
        (Some(port), true, true) => format!("{address}:{port}"),
        (Some(port), true, false) => format!("[{address}]:{port}"),
        (Some(port), false, _) => format!("{network} port {port}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flow::time::parse_time;

    fn indicators(feeds: &[(&str, &str)]) -> Indicators {
        Indicators::from_texts(feeds.iter().map(|(path, text)| (Path::new(*path), *text))).unwrap()
    }

    fn hit(indicators: &Indicators, address: &str, port: u16, protocol: u8) -> Option<String> {
        indicators
            .lookup(address.parse().unwrap(), Some(port), Some(protocol), 0, 0, None)
            .map(|hit| format!("{} {} {} {}", hit.source, hit.indicator, hit.port_matched, hit.confidence))
    }

    #[test]
    fn the_port_beats_the_prefix_beats_the_confidence() {
        let known = indicators(&[(
            "dir/own.csv",
            "indicator,port,confidence\n203.0.113.0/24,443,40\n203.0.113.7,,60\n203.0.113.7,,70\n203.0.113.7,25,99\n",
        )]);
        assert_eq!(hit(&known, "203.0.113.7", 443, 6).unwrap(), "own.csv 203.0.113.0/24 port 443 true 40");
        assert_eq!(hit(&known, "203.0.113.7", 25, 6).unwrap(), "own.csv 203.0.113.7:25 true 99");
        // Port 25 is another service, but the same address: the feed is sure of it.
        assert_eq!(hit(&known, "203.0.113.7", 80, 6).unwrap(), "own.csv 203.0.113.7:25 false 99");
        // ICMP has no ports, whatever the number in the record.
        assert_eq!(hit(&known, "203.0.113.7", 443, 1).unwrap(), "own.csv 203.0.113.7:25 false 99");
        assert_eq!(hit(&known, "203.0.113.8", 80, 6).unwrap(), "own.csv 203.0.113.0/24 port 443 false 40");
        assert_eq!(hit(&known, "203.0.114.1", 443, 6), None);
    }

    #[test]
    fn feeds_join_and_the_first_wins_a_tie() {
        let known = indicators(&[("a.txt", "203.0.113.7\n2001:db8::/32\n"), ("b.txt", "203.0.113.7\n")]);
        assert_eq!(known.len(), 3);
        assert_eq!(hit(&known, "203.0.113.7", 1, 6).unwrap(), "a.txt 203.0.113.7 false 50");
        assert_eq!(hit(&known, "2001:db8::5", 1, 6).unwrap(), "a.txt 2001:db8::/32 false 50");
    }

    #[test]
    fn an_address_on_several_lists_is_found_on_each_of_them() {
        for feeds in [["tor-exit.txt", "botnet.txt"], ["botnet.txt", "tor-exit.txt"]] {
            let known = indicators(&feeds.map(|name| (name, "203.0.113.7\n")));
            let on = |listing| {
                let found = known.lookup("203.0.113.7".parse().unwrap(), Some(443), Some(6), 0, 0, listing);
                found.map(|hit| (hit.source, hit.listing))
            };
            assert_eq!(on(Some(ListCategory::Tor)), Some(("tor-exit.txt", ListCategory::Tor)));
            assert_eq!(on(Some(ListCategory::Other)), Some(("botnet.txt", ListCategory::Other)));
            assert_eq!(on(Some(ListCategory::Mining)), None);
            assert_eq!(on(None).unwrap().0, feeds[0]);
        }
    }

    #[test]
    fn validity_must_overlap_the_contact() {
        let known = indicators(&[("v.csv", "indicator,valid_from,valid_until\n203.0.113.7,2024-04-01,2024-04-30\n")]);
        let found = |from: &str, to: &str| {
            let (from_s, to_s) = (parse_time(from, 0).unwrap(), parse_time(to, 0).unwrap());
            known.lookup("203.0.113.7".parse().unwrap(), None, None, from_s, to_s, None).is_some()
        };
        assert!(found("2024-04-30T23:59:59Z", "2024-05-02"));
        assert!(!found("2024-05-01", "2024-05-02"));
        assert!(found("2024-03-01", "2024-04-01"));
        assert!(!found("2024-03-01", "2024-03-31T23:59:59Z"));
    }

    #[test]
    fn private_addresses_never_match_a_broad_network() {
        let known = indicators(&[("a.txt", "172.0.0.0/8\n")]);
        assert!(hit(&known, "172.217.0.1", 1, 6).is_some());
        assert!(hit(&known, "172.16.0.1", 1, 6).is_none());
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Indicators::load(&["/nowhere/feed.txt"]).unwrap_err();
        assert_eq!(error.to_string(), "could not read `/nowhere/feed.txt`; check that the file exists and may be read");
    }
}
