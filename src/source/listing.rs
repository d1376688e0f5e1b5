//! The input and the result of a listing.

use super::access_objects::AccessObject;
use super::copies::CopiedObject;
use super::layout::Stored;
use super::left_out::LeftOut;
use super::object::{Kind, Object, TimeRange, is_named_otherwise, may_log_accesses};
use super::options::SourceOptions;
use super::table_folder::TableFolder;
use std::collections::BTreeSet;

/// What a listing found.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// The Parquet objects that may hold records of the time range, sorted by URL, each once.
    pub objects: Vec<Object>,
    /// Objects that hold logs of accesses or lists of credentials, sorted by URL, each once. Empty unless they were asked
    /// for.
    pub accesses: Vec<AccessObject>,
    /// Objects seen that are neither (such as `.log.gz`).
    pub other_objects: u64,
    /// Objects that repeat another object of the listing, and are left out.
    pub copies: Vec<CopiedObject>,
    /// Parquet objects left out because of the times in their names.
    pub pruned_objects: u64,
    /// Folders that were not listed because of their date.
    pub pruned_folders: u64,
}

/// The time range of a listing with its margins, which decides what folders can hold wanted records.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ListWindow {
    from_s: i64,
    to_s: i64,
}

impl ListWindow {
    pub(super) fn new(range: &TimeRange, options: &SourceOptions) -> Self {
        Self {
            from_s: range.from_s.map_or(i64::MIN, |from_s| from_s.saturating_sub(options.early_margin_s)),
            to_s: range.to_s.map_or(i64::MAX, |to_s| to_s.saturating_add(options.late_margin_s)),
        }
    }

    /// Returns whether the window begins after a time.
    pub(super) fn begins_after(&self, time_s: i64) -> bool {
        time_s < self.from_s
    }

    /// Returns whether a folder of `[from_s, to_s)` can hold wanted objects.
    pub(crate) fn overlaps(&self, from_s: i64, to_s: i64) -> bool {
        from_s < self.to_s && self.from_s < to_s
    }
}

/// What a listing leaves out.
#[derive(Clone, Debug)]
pub(crate) struct ListFilter {
    pub(crate) window: ListWindow,
    pub(super) left_out: LeftOut,
    /// Files need not end in `.parquet`.
    pub(crate) any_name: bool,
    /// Which logs are looked for.
    pub(crate) logs: WantedLogs,
}

impl ListFilter {
    pub(super) fn new(range: &TimeRange, options: &SourceOptions, left_out: LeftOut, logs: WantedLogs) -> Self {
        Self { window: ListWindow::new(range, options), left_out, any_name: options.any_name, logs }
    }
}

/// What was found below one root, before objects are left out by the times in their names.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Parquet objects.
    pub(crate) objects: Vec<Object>,
    /// The root is a single object, which is listed whatever its name and time.
    pub(crate) alone: bool,
    /// Objects that are not Parquet.
    pub(crate) other_objects: u64,
    /// Those of them that may hold logs of accesses.
    pub(crate) others: Vec<Object>,
    /// Folders that were not listed because of their date.
    pub(crate) pruned_folders: u64,
    /// Folders of table formats.
    pub(crate) tables: BTreeSet<TableFolder>,
}

impl Found {
    /// Returns the listing of a single object that the user named. What it holds is known by its bytes alone, so one whose
    /// name says that it is no Parquet may be a log of accesses.
    pub(crate) fn alone(object: Object) -> Self {
        let mut found = Self { alone: true, ..Self::default() };
        match is_named_otherwise(object.name()) {
            true => found.others.push(object),
            false => found.objects.push(object),
        }
        found
    }

    /// Adds an object by its kind and by what its folders say; `foreign_wanted` if the user named the folder of another
    /// service.
    pub(crate) fn sort_in(
        &mut self,
        kind: Kind,
        stored: Stored,
        foreign_wanted: bool,
        filter: &ListFilter,
        object: impl FnOnce() -> Object,
    ) {
        match (kind, stored) {
            (Kind::Ignored, _) => {}
            (_, Stored::Foreign) if !foreign_wanted => {}
            (Kind::Parquet, Stored::Accesses) if !foreign_wanted => {}
            (Kind::Parquet, _) if filter.logs.has_flows() => self.objects.push(object()),
            (Kind::Parquet, _) => {}
            (Kind::Other, _) if !filter.logs.has_accesses() => {
                self.other_objects += u64::from(stored != Stored::Accesses || foreign_wanted);
            }
            (Kind::Other, Stored::Flows) => self.other_objects += 1,
            (Kind::Other, _) => {
                self.other_objects += 1;
                let object = object();
                if may_log_accesses(object.name()) {
                    self.others.push(object);
                }
            }
        }
    }
}

/// Which logs of a source a listing looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WantedLogs {
    /// Flow logs: the folders of all other logs are left alone.
    #[default]
    Flows,
    /// Flow logs and logs of accesses.
    All,
    /// Logs of accesses: the folders of flow logs are left alone.
    Accesses,
}

impl WantedLogs {
    pub(crate) fn has_flows(self) -> bool {
        self != Self::Accesses
    }

    pub(crate) fn has_accesses(self) -> bool {
        self != Self::Flows
    }
}

/// What is listed together with a wanted object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Grain {
    /// Nothing else.
    Object,
    /// Its whole [`Unit`](super::Unit): kept hours cover whole units.
    Unit,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_keeps_days_that_touch_its_margins() {
        let window =
            ListWindow::new(&TimeRange { from_s: Some(86_400), to_s: Some(2 * 86_400) }, &SourceOptions::default());
        assert!(window.overlaps(2 * 86_400, 3 * 86_400), "late objects lie in the next day's folder");
        assert!(window.overlaps(0, 86_400), "and early ones in the day before");
        assert!(!window.overlaps(3 * 86_400, 4 * 86_400));
        let open = ListWindow::new(&TimeRange::default(), &SourceOptions::default());
        assert!(open.overlaps(i64::MIN, 0) && open.overlaps(0, i64::MAX));
    }
}
