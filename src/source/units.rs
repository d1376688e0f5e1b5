//! Units of work: all objects of one account, region and day (or hour) of the source's layout.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use chrono::DateTime;
use flow::fnv::Fnv128;

use super::layout::Partition;
use super::object::{Location, Object};

/// The objects that are folded together: one account, region and day or hour of the layout.
///
/// Where one flow log of an account and region writes daily folders and another hourly ones, all of them are of the day:
/// both may have the same ENIs, and only within one unit do their records count once. Late objects join their own unit, so only that unit is computed again.
#[derive(Clone, Debug)]
pub struct Unit {
    /// A stable name, also usable as a relative path: `account=A/region=R/day=2024-04-19[/hour=06]`, or
    /// `folder=NAME-HASH` for objects whose keys hold no time.
    pub id: String,
    /// The account in the keys.
    pub account_id: Option<Arc<str>>,
    /// The region in the keys.
    pub region: Option<Arc<str>>,
    /// The day or hour of the folder.
    pub partition: Option<Partition>,
    /// The objects, sorted by URL.
    pub objects: Vec<Object>,
}

/// A 128-bit value that changes whenever an object of a unit is added, removed, renamed or replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Fingerprint(pub u128);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl Unit {
    /// Returns a hash of the file name, size and version of every object, in this order.
    ///
    /// Folders are no part of it: the same objects have the same fingerprint whether the source was named
    /// `s3://bucket` or `s3://bucket/AWSLogs/`.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts: Vec<_> =
            self.objects.iter().map(|object| (object.name(), object.size, object.version.as_ref())).collect();
        parts.sort_unstable();
        let mut hash = Fnv128::default();
        for (name, size, version) in parts {
            write_text(&mut hash, name);
            hash.write(&size.to_le_bytes());
            write_text(&mut hash, version);
        }
        Fingerprint(hash.finish())
    }

    /// Returns a hash of the folder that holds all objects and of the flow logs that wrote them. Units of one id with
    /// different origins are parts of different sources, and do not replace each other.
    pub fn origin(&self) -> u64 {
        let folder = |object: &Object| match &object.location {
            Location::Local(path) => path.parent().unwrap_or(path).to_string_lossy().into_owned(),
            Location::S3 { bucket, key } => {
                format!("s3://{bucket}/{}", key.rsplit_once('/').map_or("", |(folder, _)| folder))
            }
        };
        let folders: BTreeSet<String> = self.objects.iter().map(folder).collect();
        let mut parts = folders.iter().map(|folder| folder.split('/').collect::<Vec<_>>());
        let mut common = parts.next().unwrap_or_default();
        for other in parts {
            let same = common.iter().zip(&other).take_while(|(a, b)| a == b).count();
            common.truncate(same);
        }
        let flow_logs: BTreeSet<&str> =
            self.objects.iter().filter_map(|object| object.facts.flow_log_id.as_deref()).collect();
        let mut hash = Fnv128::default();
        write_text(&mut hash, &common.join("/"));
        flow_logs.into_iter().for_each(|flow_log| write_text(&mut hash, flow_log));
        (hash.finish() ^ (hash.finish() >> 64)) as u64
    }

    /// Returns the bytes of all objects.
    pub fn bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size).sum()
    }
}

/// Groups objects into units, sorted by id; the order of `objects` does not matter.
///
/// Objects without a time in folders or name are grouped by their folder.
pub fn units(objects: impl IntoIterator<Item = Object>) -> Vec<Unit> {
    let mut by_id: BTreeMap<String, Unit> = BTreeMap::new();
    let objects: Vec<Object> = objects.into_iter().collect();
    let ids = UnitIds::new(&objects);
    for object in objects {
        let facts = &object.facts;
        let id = ids.of(&object);
        by_id
            .entry(id)
            .or_insert_with_key(|id| Unit {
                id: id.clone(),
                account_id: facts.account_id.clone(),
                region: facts.region.clone(),
                partition: facts.partition,
                objects: Vec::new(),
            })
            .objects
            .push(object);
    }
    let mut units: Vec<Unit> = by_id.into_values().collect();
    for unit in &mut units {
        unit.objects.sort_unstable_by(|a, b| a.url.cmp(&b.url));
        // A folder may mix accounts: the unit then has none.
        let first = unit.objects[0].facts.clone();
        let partitions = unit.objects.iter().filter_map(|object| object.facts.partition);
        unit.partition = partitions.max_by_key(|partition| partition.to_s - partition.from_s);
        if unit.objects.iter().any(|object| object.facts.account_id != first.account_id) {
            unit.account_id = None;
        }
        if unit.objects.iter().any(|object| object.facts.region != first.region) {
            unit.region = None;
        }
    }
    units
}

/// The ids of the units of a listing.
#[derive(Debug, Default)]
pub(super) struct UnitIds {
    /// Days for which a flow log writes daily folders.
    days: HashSet<String>,
}

impl UnitIds {
    /// Prepares the ids of a listing.
    pub(super) fn new(objects: &[Object]) -> Self {
        let is_daily = |object: &&Object| {
            object.facts.flow_log_id.is_some() && object.facts.partition.is_some_and(|partition| !partition.is_hour())
        };
        Self { days: objects.iter().filter(is_daily).map(|object| unit_id(object, object.facts.partition)).collect() }
    }

    /// Returns the id of the unit that an object belongs to.
    pub(super) fn of(&self, object: &Object) -> String {
        let facts = &object.facts;
        if !self.days.is_empty() && facts.flow_log_id.is_some() {
            let day = facts.partition.map(|partition| Partition::day_of(partition.from_s));
            let id = unit_id(object, day);
            if self.days.contains(&id) {
                return id;
            }
        }
        unit_id(object, facts.partition)
    }
}

/// Returns the id of the unit of an object's account and region in a partition.
fn unit_id(object: &Object, partition: Option<Partition>) -> String {
    let facts = &object.facts;
    let Some(partition) = partition else {
        let folder = object.folder();
        let mut hash = Fnv128::default();
        write_text(&mut hash, folder);
        let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or(folder);
        return format!("folder={}-{:032x}", path_safe(name), hash.finish());
    };
    let time = DateTime::from_timestamp(partition.from_s, 0).unwrap_or_default();
    let form = if partition.is_hour() { "day=%Y-%m-%d/hour=%H" } else { "day=%Y-%m-%d" };
    let account = facts.account_id.as_deref().map_or_else(|| "unknown".to_owned(), path_safe);
    let region = facts.region.as_deref().map_or_else(|| "unknown".to_owned(), path_safe);
    format!("account={account}/region={region}/{}", time.format(form))
}

/// Keeps letters, digits, `.`, `_` and `-`; everything else becomes `_`.
fn path_safe(text: &str) -> String {
    let safe = |letter: char| if letter.is_ascii_alphanumeric() || ".-_".contains(letter) { letter } else { '_' };
    text.chars().map(safe).collect()
}

/// Adds a text to a hash, its length first, so that ("ab", "c") and ("a", "bc") differ.
fn write_text(hash: &mut Fnv128, text: &str) {
    hash.write(&(text.len() as u64).to_le_bytes());
    hash.write(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::TimeRange;
    use super::super::layout::parse_key;
    use super::*;
    use proptest::prelude::*;

    fn object(key: &str, size: u64, version: &str) -> Object {
        Object {
            url: format!("s3://b/{key}").into(),
            location: Location::S3 { bucket: "b".into(), key: key.into() },
            size,
            version: version.into(),
            modified_s: 0,
            facts: parse_key(key),
            starts: TimeRange::default(),
        }
    }

    const DAY: &str = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19";

    #[test]
    fn the_hash_is_fnv_1a() {
        let mut hash = Fnv128::default();
        hash.write(b"a");
        assert_eq!(hash.finish(), 0xd228_cb69_6f1a_8caf_7891_2b70_4e4a_8964);
    }

    #[test]
    fn units_follow_the_layout() {
        let made = units([
            object(&format!("{DAY}/06/b.parquet"), 1, "v"),
            object(&format!("{DAY}/a.parquet"), 1, "v"),
            object("x/bare/1.parquet", 1, "v"),
            object("x/bare/2.parquet", 1, "v"),
            object("y/bare/3.parquet", 1, "v"),
        ]);
        let ids: Vec<_> = made.iter().map(|unit| (unit.id.as_str(), unit.objects.len())).collect();
        assert_eq!(ids.len(), 4);
        assert_eq!(ids[0], ("account=123456789012/region=eu-west-1/day=2024-04-19", 1));
        assert_eq!(ids[1], ("account=123456789012/region=eu-west-1/day=2024-04-19/hour=06", 1));
        assert!(ids[2].0.starts_with("folder=bare-") && ids[3].0.starts_with("folder=bare-"));
        assert_eq!(ids[2].1 + ids[3].1, 3);
    }

    #[test]
    fn a_daily_flow_log_beside_an_hourly_one_is_of_the_same_unit() {
        let name =
            |log: &str, n: u32| format!("123456789012_vpcflowlogs_eu-west-1_{log}_20240419T0605Z_{n}.log.parquet");
        let daily = object(&format!("{DAY}/{}", name("fl-1", 0)), 1, "v");
        let hourly = |hour: u32| object(&format!("{DAY}/{hour:02}/{}", name("fl-2", hour)), 1, "v");
        let other_day = object(&format!("{}/06/{}", DAY.replace("/19", "/20"), name("fl-2", 9)), 1, "v");
        let made = units([hourly(6), daily, hourly(7), other_day]);
        let ids: Vec<_> = made.iter().map(|unit| (unit.id.as_str(), unit.objects.len())).collect();
        let day = "account=123456789012/region=eu-west-1/day=2024-04";
        assert_eq!(ids, [(format!("{day}-19").as_str(), 3), (format!("{day}-20/hour=06").as_str(), 1)]);
        assert!(made[0].partition.is_some_and(|partition| !partition.is_hour()));
    }

    #[test]
    fn the_fingerprint_feels_every_change_and_no_folder() {
        let base = units([object(&format!("{DAY}/a.parquet"), 1, "v"), object(&format!("{DAY}/b.parquet"), 2, "w")]);
        let other = |objects: Vec<Object>| units(objects)[0].fingerprint();
        let moved = other(vec![
            object(&format!("logs/{DAY}/b.parquet"), 2, "w"),
            object(&format!("logs/{DAY}/a.parquet"), 1, "v"),
        ]);
        assert_eq!(moved, base[0].fingerprint());
        for changed in [
            vec![object(&format!("{DAY}/a.parquet"), 1, "v")],
            vec![object(&format!("{DAY}/a.parquet"), 1, "v"), object(&format!("{DAY}/b.parquet"), 2, "x")],
            vec![object(&format!("{DAY}/a.parquet"), 1, "v"), object(&format!("{DAY}/b.parquet"), 3, "w")],
            vec![object(&format!("{DAY}/a.parquet"), 1, "v"), object(&format!("{DAY}/c.parquet"), 2, "w")],
        ] {
            assert_ne!(other(changed), base[0].fingerprint());
        }
    }

    #[test]
    fn the_origin_tells_sources_apart_and_not_states_of_one() {
        let origin = |objects: Vec<Object>| units(objects)[0].origin();
        let named = |folder: &str, flow_log: &str, n: u32| {
            let name = format!("123456789012_vpcflowlogs_eu-west-1_{flow_log}_20240419T0605Z_{n}.log.parquet");
            object(&format!("{folder}/{name}"), 1, "v")
        };
        let base = origin(vec![named(DAY, "fl-1", 0)]);
        assert_eq!(base, origin(vec![named(DAY, "fl-1", 0), named(DAY, "fl-1", 1)]), "late objects");
        assert_ne!(base, origin(vec![named(&format!("copy/{DAY}"), "fl-1", 0)]));
        assert_ne!(base, origin(vec![named(DAY, "fl-2", 0)]));
        let bare = |folders: &[&str]| origin(folders.iter().map(|folder| named(folder, "fl-1", 0)).collect());
        assert_eq!(bare(&["logs/a", "logs/b"]), bare(&["logs/a", "logs/b", "logs/c"]));
    }

    proptest! {
        #[test]
        fn any_listing_order_gives_the_same_units(order in Just((0u64..40).collect::<Vec<_>>()).prop_shuffle()) {
            let key = |n: u64| match n % 3 {
                0 => format!("{DAY}/{:02}/{n}.parquet", n % 24),
                1 => format!("{DAY}/{n}.parquet"),
                _ => format!("d{}/{n}.parquet", n % 5),
            };
            let shown = |units: Vec<Unit>| -> Vec<_> {
                units.into_iter().map(|u| (u.id.clone(), u.fingerprint(), u.objects)).collect()
            };
            let straight = shown(units((0..40).map(|n| object(&key(n), n, "v"))));
            let shuffled = shown(units(order.into_iter().map(|n| object(&key(n), n, "v"))));
            prop_assert_eq!(straight, shuffled);
        }
    }
}
