//! The objects of a run in its summary: how many became what, and why some were left out.

use super::{Summary, is_zero, push_counts};
use flow::printable;
use flow::units::{bytes_text, count_text, counted};
use serde::Serialize;

/// Skipped objects named in the text; the JSON names all.
const NAMED_SKIPPED: usize = 5;
/// Kinds of other logs named in the text; the JSON names all objects.
const NAMED_LOGS: usize = 3;

/// What became of the objects found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct ObjectCounts {
    /// Parquet objects listed.
    pub listed: u64,
    /// Objects that are not Parquet, such as flow logs in text, and are not read.
    pub not_parquet: u64,
    /// Objects left out unread, because their path says that they hold no record of the time range.
    pub pruned: u64,
    /// Objects read.
    pub read: u64,
    /// Objects not read again, because their hours are kept.
    pub reused: u64,
    /// Objects that could not be read.
    pub skipped: u64,
    /// Parquet objects that hold other logs, such as those of a Transit Gateway, and are not judged.
    #[serde(skip_serializing_if = "is_zero")]
    pub other_logs: u64,
    /// Objects that repeat another one, and are not read.
    #[serde(skip_serializing_if = "is_zero")]
    pub copies: u64,
}

/// An object that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedObject {
    /// The object's path or URL.
    pub object: String,
    /// Why, in one line.
    pub reason: String,
}

/// Returns a number of objects with its noun.
pub(super) fn objects_named(count: u64) -> String {
    format!("{} {}", count_text(count), if count == 1 { "object" } else { "objects" })
}

/// Groups objects by their reason: the first object of each, and how many there are.
fn by_reason(objects: &[SkippedObject]) -> Vec<(&SkippedObject, u64)> {
    let mut groups: Vec<(&SkippedObject, u64)> = Vec::new();
    for skipped in objects {
        match groups.iter_mut().find(|(first, _)| first.reason == skipped.reason) {
            Some((_, count)) => *count += 1,
            None => groups.push((skipped, 1)),
        }
    }
    groups
}

impl Summary {
    /// Returns lines for the skipped objects: those with the same reason share a line, which names the first of them.
    pub(super) fn skipped_texts(&self) -> Vec<String> {
        let groups = by_reason(&self.skipped_objects);
        let mut lines: Vec<String> = Vec::new();
        let mut named = 0;
        for (first, count) in groups.iter().take(NAMED_SKIPPED) {
            named += count;
            let (object, reason) = (printable(&first.object), printable(&first.reason));
            lines.push(match count {
                1 => format!("{object}: {reason}"),
                many => format!("{object} and {} more: {reason}", count_text(many - 1)),
            });
        }
        // The list may be shorter than the count when there were too many to keep.
        let unnamed = self.objects.skipped.max(self.skipped_objects.len() as u64).saturating_sub(named);
        if unnamed > 0 {
            lines.push(match lines.is_empty() {
                true => counted(unnamed, "object", "objects"),
                false => format!("{} more for other reasons", count_text(unnamed)),
            });
        }
        lines
    }

    pub(super) fn objects_text(&self) -> String {
        let ObjectCounts { listed, not_parquet, pruned, read, reused, skipped, other_logs, copies } = self.objects;
        let mut text =
            format!("{} listed, {} read ({})", count_text(listed), count_text(read), bytes_text(self.bytes_read));
        let copied = if copies == 1 { "copy" } else { "copies" };
        push_counts(
            &mut text,
            &[
                (pruned, "outside the window"),
                (reused, "reused from state"),
                (skipped, "skipped"),
                (other_logs, "of other logs"),
                (copies, copied),
                (not_parquet, "not Parquet"),
            ],
        );
        text
    }

    /// Returns which other logs the objects hold, such as `24 of Transit Gateway flow logs (first: …)`; `None` without any.
    pub(super) fn other_logs_text(&self) -> Option<String> {
        let groups = by_reason(&self.other_log_objects);
        let named = groups.iter().take(NAMED_LOGS).map(|(first, count)| {
            format!("{} of {}, the first {}", count_text(*count), printable(&first.reason), printable(&first.object))
        });
        let text = named.collect::<Vec<_>>().join("; ");
        (!text.is_empty()).then_some(text)
    }

    /// Returns the warning about objects that repeat others; `None` without any.
    pub(super) fn copies_text(&self) -> Option<String> {
        let first = self.copied_objects.first()?;
        let count = self.copied_objects.len() as u64;
        let (object, reason) = (printable(&first.object), printable(&first.reason));
        Some(match count {
            1 => format!("1 object repeats another and counts once: {object}, {reason}"),
            many => {
                format!("{} objects repeat others and count once; the first is {object}, {reason}", count_text(many))
            }
        })
    }
}
