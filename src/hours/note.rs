//! What is noted beside a unit's kept tables: the objects that they lack.

use super::gathered::{Outlook, SkipKind, Skipped};
use crate::source::{Object, Unit};
use std::collections::BTreeSet;

/// Writes skipped objects as JSON: file name, version, reason, kind and outlook. Folders are left out, as in the
/// fingerprint.
pub(super) fn write_skipped(unit: &Unit, skipped: &[(Outlook, Skipped)]) -> String {
    let mut entries: Vec<serde_json::Value> = Vec::new();
    for (outlook, one) in skipped {
        let Some(object) = unit.objects.iter().find(|object| *object.url == *one.object) else { continue };
        let other_log = one.kind == SkipKind::OtherLog;
        let withheld = *outlook == Outlook::Withheld;
        entries.push(serde_json::json!([object.name(), object.version.as_ref(), one.reason, other_log, withheld]));
    }
    entries.sort_by_key(serde_json::Value::to_string);
    serde_json::Value::Array(entries).to_string()
}

/// Reads what [`write_skipped`] wrote; `None` when the unit has no such object.
pub(super) fn parse_skipped(unit: &Unit, text: &str) -> Option<Vec<(Outlook, Skipped)>> {
    let entries: Vec<(String, String, String, bool, bool)> = serde_json::from_str(text).ok()?;
    let mut taken = BTreeSet::new();
    let mut skipped = Vec::new();
    for (name, version, reason, other_log, withheld) in entries {
        // A flat listing may hold one name several times, in folders of its own.
        let is_it = |(_, object): &(usize, &Object)| object.name() == name && *object.version == *version;
        let mut found = unit.objects.iter().enumerate().filter(is_it);
        let (index, object) = found.find(|(index, _)| !taken.contains(index))?;
        taken.insert(index);
        let kind = if other_log { SkipKind::OtherLog } else { SkipKind::Unreadable };
        let outlook = if withheld { Outlook::Withheld } else { Outlook::Final };
        skipped.push((outlook, Skipped { object: object.url.to_string(), reason, kind, rows: None }));
    }
    Some(skipped)
}
