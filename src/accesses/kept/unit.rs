//! Units: the objects of one log and day, which are kept together.

use crate::source::AccessObject;
use access::LogKind;
use flow::fnv::{Fnv64, Fnv128};
use flow::time::{DAY_S, parse_time, rfc3339};
use std::collections::BTreeMap;

/// The objects of one log whose folders name one day; of those whose folders name none, the objects of one folder that
/// were written on one day.
#[derive(Debug, Clone)]
pub(in crate::accesses) struct AccessUnit {
    /// The day that the folders name, in seconds since 1970-01-01 UTC.
    pub(in crate::accesses) day_s: Option<i64>,
    pub(super) kind: LogKind,
    /// What tells units without a day apart.
    place: u64,
    /// Sorted by URL.
    pub(in crate::accesses) objects: Vec<AccessObject>,
}

/// An object as a kept unit names it: URL, size and version.
pub(super) type NamedObject = (String, u64, String);

/// Cuts objects into units, sorted by day; those without one come first.
pub(in crate::accesses) fn units(objects: Vec<AccessObject>) -> Vec<AccessUnit> {
    let mut units: BTreeMap<(Option<i64>, LogKind, u64), Vec<AccessObject>> = BTreeMap::new();
    for object in objects {
        let day_s = object.day_s();
        let place = if day_s.is_some() { 0 } else { place_of(&object) };
        units.entry((day_s, object.kind, place)).or_default().push(object);
    }
    let unit = |((day_s, kind, place), mut objects): (_, Vec<AccessObject>)| {
        objects.sort_unstable_by(|a, b| a.object.url.cmp(&b.object.url));
        AccessUnit { day_s, kind, place, objects }
    };
    units.into_iter().map(unit).collect()
}

fn place_of(object: &AccessObject) -> u64 {
    let mut hash = Fnv64::default();
    hash.write(object.object.folder().as_bytes());
    hash.write(&object.object.modified_s.div_euclid(DAY_S).to_le_bytes());
    hash.finish()
}

impl AccessUnit {
    /// Returns the beginning of the names of the unit's files, whatever its objects are; `source` is the hash of what names
    /// the logs.
    pub(super) fn stem(&self, source: u64) -> String {
        let kind = self.kind.name();
        match self.day_s {
            Some(day_s) => format!("{}/{kind}-{source:016x}-", &rfc3339(day_s)[..DATE_LENGTH]),
            None => format!("{UNDATED}/{kind}-{:016x}-{source:016x}-", self.place),
        }
    }

    /// Returns the fingerprint of the unit's objects: other objects have another.
    pub(super) fn fingerprint(&self) -> String {
        let mut hash = Fnv128::default();
        for AccessObject { object, is_told, .. } in &self.objects {
            for text in [object.url.as_ref(), object.version.as_ref()] {
                hash.write(&(text.len() as u64).to_le_bytes());
                hash.write(text.as_bytes());
            }
            hash.write(&object.size.to_le_bytes());
            hash.write(&[u8::from(*is_told)]);
        }
        format!("{:032x}", hash.finish())
    }

    /// Returns the objects as a kept unit names them.
    pub(super) fn names(&self) -> Vec<NamedObject> {
        let name = |one: &AccessObject| {
            let object = &one.object;
            (object.url.to_string(), object.size, object.version.to_string())
        };
        self.objects.iter().map(name).collect()
    }

    /// Returns whether these are lists of credentials, which are small and change: they are always read.
    pub(in crate::accesses) fn is_list(&self) -> bool {
        self.kind.is_list()
    }

    /// Returns the bytes of all objects.
    pub(in crate::accesses) fn bytes(&self) -> u64 {
        self.objects.iter().map(|one| one.object.size).sum()
    }
}

/// The folder of units without a day.
const UNDATED: &str = "undated";

/// Returns the day in the name of a unit's file below the folder of all units, in seconds since 1970-01-01 UTC.
pub(super) fn day_of_name(name: &str) -> Option<i64> {
    let folder = name.split_once('/')?.0;
    parse_time(folder, 0).ok().filter(|_| folder.len() == DATE_LENGTH)
}

/// The length of `2023-11-22`.
const DATE_LENGTH: usize = 10;
