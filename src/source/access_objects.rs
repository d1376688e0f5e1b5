//! Which objects of a listing hold logs of accesses: by what the user says, by their keys, or by the bytes they begin with.
//!
//! Only where the key does not tell are bytes read, and only of a few objects: those of one tree, with names of one
//! form, are taken for what the first, the middle and the last of them are. If these differ, each object is looked at.
//! So a lake with other files in between costs a few small requests, and one with flow logs in AWS's layout none.

use super::layout::{Partition, claimed_day, folders_before_dates};
use super::listing::ListWindow;
use super::log_rule::LogRule;
use super::object::Object;
use super::read::ObjectReader;
use access::{HEAD_BYTES, LogKind, recognise};
use flow::time::DAY_S;
use futures::stream::{self, StreamExt};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// Forms of names that are looked at; objects of all others are taken for no logs of accesses, unless a rule names them.
const MAX_FORMS: usize = 64;

/// How far the days of folders may be from those of the records, in seconds: they may be local time, or that of the
/// delivery.
const DAY_MARGIN_S: i64 = DAY_S;

/// An object that holds a log of accesses, a list of credentials, or a log that stands beside them and is not read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AccessObject {
    /// The object.
    pub object: Object,
    /// What it holds, as far as the listing tells. Its content may say otherwise, unless the user says so.
    pub kind: LogKind,
    /// Whether the user says so.
    pub is_told: bool,
}

impl AccessObject {
    /// Returns the first second of the day that the object's folders name, since 1970-01-01; `None` if they name none. It
    /// may be local time, or that of the delivery.
    pub fn day_s(&self) -> Option<i64> {
        let day = self.object.facts.partition.or_else(|| claimed_day(&self.object.url))?;
        Some(Partition::day_of(day.from_s).from_s)
    }
}

/// The kinds of objects that were looked at, by URL.
pub(super) type KnownKinds = HashMap<Arc<str>, LogKind>;

/// How objects are recognised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Recognition<'a> {
    pub(super) reader: &'a ObjectReader,
    pub(super) rules: &'a [LogRule],
    /// Objects that are looked at at a time.
    pub(super) concurrency: usize,
}

/// The objects of a listing that may hold logs of accesses, told apart.
#[derive(Debug, Default)]
pub(super) struct Recognised {
    pub(super) accesses: Vec<AccessObject>,
    /// Those that hold something else.
    pub(super) others: Vec<Object>,
}

/// Returns whether the folders of an object may hold records of a window.
pub(super) fn is_wanted(object: &Object, window: &ListWindow) -> bool {
    let day = object.facts.partition.or_else(|| claimed_day(&object.url));
    day.is_none_or(|Partition { from_s, to_s }| window.overlaps(from_s - DAY_MARGIN_S, to_s + DAY_MARGIN_S))
}

impl Recognition<'_> {
    /// Tells apart the objects that hold logs of accesses and all others. `known` are the kinds of objects that were looked
    /// at before; those that are looked at now are added.
    pub(super) async fn of(&self, objects: Vec<Object>, known: &mut KnownKinds) -> Recognised {
        let mut recognised = Recognised::default();
        let mut forms: BTreeMap<String, Vec<Object>> = BTreeMap::new();
        for object in objects {
            let told = self.rules.iter().find(|rule| rule.fits(&object.url)).map(|rule| rule.kind);
            match told.unwrap_or_else(|| recognise(&object.url, b"")) {
                LogKind::Unknown if told.is_none() => forms.entry(form_of(&object.url)).or_default().push(object),
                kind => recognised.add(object, kind, told.is_some()),
            }
        }
        if forms.len() > MAX_FORMS {
            tracing::warn!(
                "objects of {} forms are not looked at: name their log with --logs",
                forms.len() - MAX_FORMS
            );
        }
        let looked_at: Vec<Vec<Object>> = forms.into_values().collect();
        let samples = looked_at.iter().take(MAX_FORMS).flat_map(|form| samples_of(form));
        self.look(samples.cloned().collect(), known).await;
        let kinds = |form: &[Object], known: &KnownKinds| -> HashSet<LogKind> {
            samples_of(form).filter_map(|object| known.get(&object.url).copied()).collect()
        };
        let mixed = looked_at.iter().take(MAX_FORMS).filter(|form| kinds(form, known).len() > 1).flatten();
        self.look(mixed.cloned().collect(), known).await;
        for form in looked_at {
            let kinds = kinds(&form, known);
            for object in form {
                let own = known.get(&object.url).copied();
                let kind = own.or_else(|| kinds.iter().next().copied()).unwrap_or(LogKind::Unknown);
                recognised.add(object, kind, false);
            }
        }
        recognised.accesses.sort_unstable_by(|a, b| a.object.url.cmp(&b.object.url));
        recognised
    }

    /// Looks at the first bytes of objects that are not known yet. One that cannot be read stays unknown: of its form,
    /// others tell.
    async fn look(&self, objects: Vec<Object>, known: &mut KnownKinds) {
        let new: Vec<Object> = objects.into_iter().filter(|object| !known.contains_key(&object.url)).collect();
        let heads = stream::iter(new)
            .map(|object| async move {
                let head = 0..object.size.min(HEAD_BYTES as u64);
                let head = self.reader.ranges(&object, &[head]).await.ok()?;
                Some((object.url.clone(), recognise(&object.url, head.first()?)))
            })
            .buffer_unordered(self.concurrency.max(1));
        let heads: Vec<Option<(Arc<str>, LogKind)>> = heads.collect().await;
        known.extend(heads.into_iter().flatten());
    }
}

impl Recognised {
    /// Returns whether an object holds a log whose acts are read.
    pub(super) fn has_acts(&self) -> bool {
        self.accesses.iter().any(|one| one.kind.has_acts())
    }

    fn add(&mut self, object: Object, kind: LogKind, is_told: bool) {
        match kind {
            LogKind::Unknown | LogKind::Parquet => self.others.push(object),
            kind => self.accesses.push(AccessObject { object, kind, is_told }),
        }
    }
}

/// Returns the form of an object's name: its folders before any date, what its name begins with, and its endings.
fn form_of(url: &str) -> String {
    let name = url.rsplit('/').next().unwrap_or(url);
    let (stem, endings) = name.split_at(name.find('.').unwrap_or(name.len()));
    let begin = &stem[..stem.find(|letter: char| letter.is_ascii_digit()).unwrap_or(stem.len())];
    // A random id may begin with letters, too.
    let is_id = begin.len() < stem.len() && begin.chars().all(|letter| letter.is_ascii_hexdigit());
    let endings: String = endings.chars().filter(|letter| !letter.is_ascii_digit()).collect();
    format!("{}{} {endings}", folders_before_dates(url), if is_id { "" } else { begin })
}

/// Returns the first, the middle and the last of some objects, each once.
fn samples_of(objects: &[Object]) -> impl Iterator<Item = &Object> {
    let last = objects.len().saturating_sub(1);
    let mut places = vec![0, last / 2, last];
    places.dedup();
    places.into_iter().filter_map(|place| objects.get(place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Listing, Source, SourceOptions, TimeRange, WantedLogs};
    use std::path::Path;

    const TRAIL: &str = "{\"Records\":[{\"eventVersion\":\"1.08\"}]}";
    const OKTA: &str = "{\"published\":\"t\",\"eventType\":\"user.session.start\",\"version\":\"0\"}";

    fn put(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn listed(root: &Path, rules: &[&str], range: TimeRange) -> Result<Listing, crate::source::SourceError> {
        let log_rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
        let options = SourceOptions { log_rules, ..SourceOptions::default() };
        let source = Source::open(&[root.to_str().unwrap()], &options).await.unwrap();
        source.list_by(&range, crate::source::Grain::Object, WantedLogs::All).await
    }

    fn shown(listing: &Listing) -> Vec<(String, &'static str)> {
        listing.accesses.iter().map(|one| (one.object.name().to_owned(), one.kind.name())).collect()
    }

    #[test]
    fn names_of_one_writer_have_one_form() {
        for (a, b) in [
            (
                "okta/2023/11/22/okta-system-log-2023-11-22.jsonl.gz",
                "okta/2023/11/21/okta-system-log-2023-11-21.jsonl.gz",
            ),
            ("jira/audit/2023/11/22/20231122.00000.audit.log", "jira/audit/2023/11/21/20231121.00001.audit.log"),
            ("x/a9f1-22.json", "x/0bd0-13.json"),
        ] {
            assert_eq!(form_of(a), form_of(b));
        }
        assert_ne!(form_of("dump/okta-1.json"), form_of("dump/trail-1.json"));
        assert_ne!(form_of("dump/labels.csv"), form_of("dump/labels.json"));
    }

    #[tokio::test]
    async fn content_tells_what_names_do_not() {
        let root = tempfile::tempdir().unwrap();
        for number in 1..=9 {
            put(root.path(), &format!("lake/okta/2023/11/0{number}/part-{number}.json"), OKTA);
            put(root.path(), &format!("lake/notes/{number}.txt"), "nothing of interest");
        }
        put(root.path(), "dump/export-1.json", TRAIL);
        put(root.path(), "dump/export-2.json", OKTA);
        put(root.path(), "dump/export-3.json", "{}");
        put(root.path(), "AWSLogs/123456789012/CloudTrail/r/2023/11/05/x.json.gz", "not looked at");
        let all = listed(root.path(), &[], TimeRange::default()).await.unwrap();
        let kinds = shown(&all);
        assert_eq!(kinds.iter().filter(|(_, kind)| *kind == "okta").count(), 10);
        let other = |name: &str| (name.to_owned(), "cloudtrail");
        assert_eq!(
            kinds.iter().filter(|(_, kind)| *kind != "okta").cloned().collect::<Vec<_>>(),
            [other("x.json.gz"), other("export-1.json")]
        );
        assert_eq!(all.other_objects, 10);

        // Folders tell the day to within a day: of those from the 7th on, and a margin, five are left.
        let from_s = Some(1_699_315_200);
        let late = listed(root.path(), &[], TimeRange { from_s, to_s: None }).await.unwrap();
        assert_eq!(late.accesses.iter().filter(|one| one.object.name().starts_with("part")).count(), 5);

        let told = listed(root.path(), &["okta=notes/*", "unknown=dump/*"], TimeRange::default()).await.unwrap();
        assert_eq!(told.accesses.iter().filter(|one| one.is_told).count(), 9);
        assert!(!shown(&told).iter().any(|(name, _)| name.starts_with("export")));
    }

    #[tokio::test]
    async fn a_source_without_any_log_is_an_error_and_a_lone_file_is_what_it_holds() {
        let root = tempfile::tempdir().unwrap();
        put(root.path(), "notes.txt", "nothing of interest");
        let none = listed(root.path(), &[], TimeRange::default()).await.unwrap_err();
        assert!(none.to_string().contains("no Parquet objects under"), "{none}");
        put(root.path(), "trail.json", TRAIL);
        let lone = listed(&root.path().join("trail.json"), &[], TimeRange::default()).await.unwrap();
        assert_eq!(shown(&lone), [("trail.json".to_owned(), "cloudtrail")]);
        let lone = listed(&root.path().join("notes.txt"), &[], TimeRange::default()).await.unwrap();
        assert_eq!((lone.accesses.len(), lone.objects.len()), (0, 1), "reading it says what is wrong");
        let flows = Source::open(&[root.path().to_str().unwrap()], &SourceOptions::default()).await.unwrap();
        let flows = flows.list(&TimeRange::default()).await.unwrap();
        assert_eq!((flows.objects.len(), flows.accesses.len()), (0, 0), "no flow logs, but logs");
    }
}
