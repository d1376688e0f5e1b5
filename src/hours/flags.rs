//! Pairs that a run flagged while they were new, kept by window, so that later runs do not take them for habits.
//!
//! One small file per window and source, in JSON Lines: a header with version, window and checksum, then the pairs,
//! sorted. A run of the same window writes the same file again. A run reads only files of windows that ended before its
//! own window begins, so that its findings do not depend on runs after it.

use super::error::HoursError;
use crate::source::{PutMode, Store};
use bytes::Bytes;
use flow::Address;
use futures::{StreamExt, TryStreamExt};
use rollup::habits::{FlaggedPair, NamedPair};
use rollup::window::Window;
use serde::{Deserialize, Serialize};

/// The folder of all versions.
pub(super) const FOLDER: &str = "flags";

/// The folder of this version. A new version leaves older files alone.
const VERSION_FOLDER: &str = "flags/v1";

const VERSION: u32 = 1;

/// Files that are read at the same time.
const CONCURRENCY: usize = 16;

/// The first line of a file.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Header {
    version: u32,
    /// First second of the window.
    from_s: i64,
    /// First second after the window.
    to_s: i64,
    /// CRC-32 of the window's seconds, as in the file's name, and all lines that follow.
    crc32: String,
}

/// A line of a file: account, region, host, remote, port and protocol.
type Line = (String, String, String, String, u16, u8);

/// What earlier runs flagged.
#[derive(Debug, Default)]
pub(super) struct Flags {
    pub(super) pairs: Vec<FlaggedPair>,
    /// Names of files that storage has damaged.
    pub(super) damaged: Vec<String>,
}

/// Returns the name of the file of a window; `source` is a hash of what names the logs.
fn name_of(window: &Window, source: u64) -> String {
    format!("{VERSION_FOLDER}/{}-{}-{source:016x}.jsonl", window.from_s, window.to_s)
}

/// Returns the first second of the window of a file and the first after it, by its name.
fn window_of(name: &str) -> Option<(i64, i64)> {
    let mut parts = name.strip_prefix(VERSION_FOLDER)?.strip_prefix('/')?.strip_suffix(".jsonl")?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Keeps the pairs that a run of `window` flagged; `source` is a hash of what names the logs. Replaces those of an earlier
/// run of both.
///
/// # Errors
/// [`HoursError`] when the file cannot be written.
pub(super) async fn save(store: &Store, window: &Window, source: u64, pairs: &[NamedPair]) -> Result<(), HoursError> {
    let bytes = written(window.from_s, window.to_s, pairs);
    Ok(store.put(&name_of(window, source), bytes, PutMode::Overwrite).await?)
}

/// Loads the pairs flagged in windows that ended before `window` begins and lie in its baseline, at least in part.
///
/// # Errors
/// [`HoursError`] when the store cannot be read.
pub(super) async fn load(store: &Store, window: &Window) -> Result<Flags, HoursError> {
    let earlier =
        |(from_s, to_s): &(i64, i64)| from_s < to_s && *to_s <= window.from_s && *to_s > window.baseline_from_s;
    let listed = store.list(VERSION_FOLDER).await?.into_iter();
    let files = listed.filter_map(|file| Some((window_of(&file.name).filter(earlier)?, file.name)));
    let read = |(of_window, name): ((i64, i64), String)| async move {
        Ok::<_, HoursError>((of_window, store.get(&name).await?, name))
    };
    let read: Vec<_> = futures::stream::iter(files).map(read).buffered(CONCURRENCY).try_collect().await?;
    let mut flags = Flags::default();
    for ((from_s, to_s), bytes, name) in read {
        match bytes.as_deref().map(|bytes| parsed(from_s, to_s, bytes)) {
            Some(Some(pairs)) => flags.pairs.extend(pairs.into_iter().map(|pair| FlaggedPair { pair, from_s })),
            Some(None) => flags.damaged.push(store.url_of(&name)),
            // Removed since it was listed.
            None => {}
        }
    }
    Ok(flags)
}

fn written(from_s: i64, to_s: i64, pairs: &[NamedPair]) -> Bytes {
    let line = |pair: &NamedPair| -> Line {
        let (account_id, region) = (pair.account_id.clone(), pair.region.clone());
        (account_id, region, pair.host.to_string(), pair.remote.to_string(), pair.port, pair.protocol)
    };
    let mut pairs: Vec<&NamedPair> = pairs.iter().collect();
    pairs.sort_unstable();
    pairs.dedup();
    let lines: Vec<String> = pairs.into_iter().map(|pair| format!("{}\n", serde_json::json!(line(pair)))).collect();
    let body = lines.concat();
    let header = Header { version: VERSION, from_s, to_s, crc32: sum_of(from_s, to_s, body.as_bytes()) };
    format!("{}\n{body}", serde_json::json!(header)).into()
}

/// Returns the pairs of a file; `None` when it is damaged.
fn parsed(from_s: i64, to_s: i64, file: &[u8]) -> Option<Vec<NamedPair>> {
    let end = file.iter().position(|byte| *byte == b'\n')?;
    let (header, body) = (&file[..end], &file[end + 1..]);
    let crc32 = sum_of(from_s, to_s, body);
    if serde_json::from_slice::<Header>(header).ok()? != (Header { version: VERSION, from_s, to_s, crc32 }) {
        return None;
    }
    let address = |text: String| Address::parse(text.as_bytes());
    let lines = serde_json::Deserializer::from_slice(body).into_iter::<Line>();
    lines
        .map(|line| {
            let (account_id, region, host, remote, port, protocol) = line.ok()?;
            Some(NamedPair { account_id, region, host: address(host)?, remote: address(remote)?, port, protocol })
        })
        .collect()
}

fn sum_of(from_s: i64, to_s: i64, body: &[u8]) -> String {
    let mut sum = libdeflater::Crc::new();
    sum.update(format!("{from_s}-{to_s}\n").as_bytes());
    sum.update(body);
    format!("{:08x}", sum.sum())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::SourceOptions;
    use flow::time::DAY_S;

    fn pair(number: u8) -> NamedPair {
        NamedPair {
            account_id: "123".to_owned(),
            region: "eu-west-1".to_owned(),
            host: format!("10.0.0.{number}").parse().unwrap(),
            remote: "2600:1f18::1".parse().unwrap(),
            port: 443,
            protocol: 6,
        }
    }

    fn day(day: i64) -> Window {
        Window { from_s: day * DAY_S, to_s: (day + 1) * DAY_S, baseline_from_s: (day - 3) * DAY_S }
    }

    #[tokio::test]
    async fn a_run_knows_the_flags_of_earlier_windows_in_its_baseline() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path().to_str().unwrap(), &SourceOptions::default()).await.unwrap();
        assert!(load(&store, &day(9)).await.unwrap().pairs.is_empty());
        for number in 5..10 {
            save(&store, &day(i64::from(number)), 1, &[pair(9), pair(number)]).await.unwrap();
        }
        // Another source has a file of its own.
        save(&store, &day(8), 2, &[pair(80)]).await.unwrap();
        let hosts = async |of: i64| {
            let flags = load(&store, &day(of)).await.unwrap();
            assert!(flags.damaged.is_empty());
            let mut hosts: Vec<String> = flags.pairs.iter().map(|flag| flag.pair.host.to_string()).collect();
            hosts.sort();
            hosts.dedup();
            hosts
        };
        assert_eq!(hosts(9).await, ["10.0.0.6", "10.0.0.7", "10.0.0.8", "10.0.0.80", "10.0.0.9"]);
        assert_eq!(hosts(7).await, ["10.0.0.5", "10.0.0.6", "10.0.0.9"]);
        // A run again replaces what it flagged.
        save(&store, &day(6), 1, &[]).await.unwrap();
        assert_eq!(hosts(7).await, ["10.0.0.5", "10.0.0.9"]);
    }

    #[test]
    fn damage_is_seen() {
        let file = written(0, 60, &[pair(2), pair(1), pair(2)]);
        assert_eq!(parsed(0, 60, &file), Some(vec![pair(1), pair(2)]));
        assert_eq!(parsed(0, 120, &file), None);
        assert_eq!(parsed(0, 60, &written(0, 60, &[])), Some(Vec::new()));
        for at in 0..file.len() {
            let mut damaged = file.to_vec();
            damaged[at] ^= 1;
            assert_eq!(parsed(0, 60, &damaged), None, "byte {at}");
            assert_eq!(parsed(0, 60, &file[..at]), None, "cut at {at}");
        }
    }
}
