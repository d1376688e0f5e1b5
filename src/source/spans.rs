//! When the records of objects may begin, by the names of a listing.
//!
//! The time in a name is a point, and does not say how long the file is: AWS writes a file every five minutes, a copy may
//! hold an hour or a day, and some files are named by their begin and some by their end. So the names around it are used,
//! too. A file is assumed to hold the time from the previous name to the next name of its flow log in its folder, with a
//! margin on each side. The first and the last file of a folder reach to the ends of its day or hour; where the folder has
//! neither, they are unbounded. Fewer names only make spans longer, so part of a listing may be judged by itself.

use std::collections::HashMap;

use super::layout::{Layout, Partition};
use super::object::{Object, TimeRange};
use super::options::SourceOptions;

/// Sets for each object when its records may begin. `is_bounded` says of objects in dated folders of other writers whether
/// the folder's time is that of the records.
pub(super) fn note_spans(objects: &mut [Object], options: &SourceOptions, is_bounded: impl Fn(&Object) -> bool) {
    let mut times: HashMap<(&str, Option<&str>), Vec<i64>> = HashMap::new();
    for object in objects.iter() {
        if let Some(time_s) = object.facts.file_time_s {
            times.entry(series_of(object)).or_default().push(time_s);
        }
    }
    for series in times.values_mut() {
        series.sort_unstable();
        series.dedup();
    }
    let spans: Vec<TimeRange> = objects
        .iter()
        .map(|object| {
            let of_folder = match object.facts.layout {
                Layout::Plain | Layout::Hive => object.facts.partition,
                Layout::Dated => object.facts.partition.filter(|_| is_bounded(object)),
                Layout::Bare => None,
            };
            let times = times.get(&series_of(object)).map_or(&[][..], Vec::as_slice);
            with_margins(span_of(object, of_folder, times), options)
        })
        .collect();
    for (object, span) in objects.iter_mut().zip(spans) {
        object.starts = span;
    }
}

/// Returns the key of an object's series: the files of one flow log in one folder.
fn series_of(object: &Object) -> (&str, Option<&str>) {
    (object.folder(), object.facts.flow_log_id.as_deref())
}

/// Returns the span between the names around an object, given the day or hour that bounds its folder and all times of its
/// series in order, each once.
fn span_of(object: &Object, of_folder: Option<Partition>, times: &[i64]) -> TimeRange {
    let Some(time_s) = object.facts.file_time_s else {
        return of_folder.map_or_else(TimeRange::default, |partition| TimeRange {
            from_s: Some(partition.from_s),
            to_s: Some(partition.to_s),
        });
    };
    let before = times[..times.partition_point(|other| *other < time_s)].last().copied();
    let after = times[times.partition_point(|other| *other <= time_s)..].first().copied();
    TimeRange {
        from_s: before.or(of_folder.map(|partition| partition.from_s)).map(|from_s| from_s.min(time_s)),
        to_s: after.or(of_folder.map(|partition| partition.to_s)).map(|to_s| to_s.max(time_s)),
    }
}

/// Widens a span by the margins; the last second is part of it.
fn with_margins(span: TimeRange, options: &SourceOptions) -> TimeRange {
    TimeRange {
        from_s: span.from_s.map(|from_s| from_s.saturating_sub(options.late_margin_s)),
        to_s: span.to_s.map(|to_s| to_s.saturating_add(options.early_margin_s + 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Location, TimeRange};
    use super::*;
    use crate::source::parse_key;
    use chrono::DateTime;
    use flow::time::{DAY_S, HOUR_S};
    use proptest::prelude::*;

    const DAY: i64 = 1_713_484_800;
    const DAILY: &str = "AWSLogs/123456789012/vpcflowlogs/eu-west-1/2024/04/19";

    fn object(folder: &str, flow_log: &str, time_s: i64, n: usize) -> Object {
        let time = DateTime::from_timestamp(time_s, 0).unwrap().format("%Y%m%dT%H%MZ");
        let key = format!("{folder}/123456789012_vpcflowlogs_eu-west-1_fl-{flow_log}_{time}_{n:08x}.log.parquet");
        Object {
            url: key.as_str().into(),
            location: Location::S3 { bucket: "b".into(), key: key.as_str().into() },
            size: 1,
            version: "v".into(),
            modified_s: 0,
            facts: parse_key(&key),
            starts: TimeRange::default(),
        }
    }

    /// Objects of a series by their times, their spans noted.
    fn noted(folder: &str, times: &[i64]) -> Vec<Object> {
        let mut objects: Vec<_> =
            times.iter().enumerate().map(|(n, time_s)| object(folder, "0a", *time_s, n)).collect();
        note_spans(&mut objects, &SourceOptions::default(), |_| true);
        objects
    }

    fn wanted(objects: &[Object], from_s: i64, to_s: i64) -> Vec<i64> {
        let range = TimeRange { from_s: Some(from_s), to_s: Some(to_s) };
        objects.iter().filter(|o| o.starts.overlaps(&range)).map(|o| o.facts.file_time_s.unwrap() - DAY).collect()
    }

    #[test]
    fn files_of_five_minutes_cost_little_more_than_the_margins() {
        let times: Vec<i64> = (0..288).map(|n| DAY + 300 * n).collect();
        let hour = wanted(&noted(DAILY, &times), DAY + 6 * HOUR_S, DAY + 7 * HOUR_S);
        assert_eq!((hour.first(), hour.last()), (Some(&(6 * HOUR_S - 1_200)), Some(&(8 * HOUR_S))));
        assert_eq!(hour.len(), 29);
    }

    #[test]
    fn a_file_reaches_to_its_neighbours_and_the_ends_of_its_folder() {
        let hours: Vec<i64> = (0..24).map(|n| DAY + n * HOUR_S).collect();
        assert_eq!(wanted(&noted(DAILY, &hours), DAY + 19_800, DAY + 20_700), [5, 6, 7].map(|n| n * HOUR_S));
        let hourly = format!("{DAILY}/05");
        assert_eq!(wanted(&noted(&hourly, &[DAY + 5 * HOUR_S]), DAY + 19_800, DAY + 20_700), [5 * HOUR_S]);
        // A day in one file, named by its begin, its end, or the midnight after.
        for time_s in [DAY, DAY + DAY_S - 60, DAY + DAY_S] {
            let day = noted(DAILY, &[time_s]);
            assert_eq!(wanted(&day, DAY + DAY_S / 2, DAY + DAY_S / 2 + 1).len(), 1);
            assert!(wanted(&day, DAY + 2 * DAY_S, DAY + 3 * DAY_S).is_empty());
        }
        // No folder says where the last of these ends.
        let weeks = noted("copies", &[DAY, DAY + 7 * DAY_S]);
        assert_eq!(wanted(&weeks, DAY + 3 * DAY_S, DAY + 4 * DAY_S), [0, 7 * DAY_S]);
        assert_eq!(wanted(&weeks, DAY + 10 * DAY_S, DAY + 11 * DAY_S), [7 * DAY_S]);
    }

    #[test]
    fn flow_logs_of_a_folder_and_files_of_one_time_are_told_apart() {
        let mut objects: Vec<_> = (0..288).map(|n| object(DAILY, "0a", DAY + 300 * n, 0)).collect();
        objects.extend((0..4).map(|n| object(DAILY, "0b", DAY + 12 * HOUR_S, n)));
        objects.push(object(DAILY, "0b", DAY, 0));
        note_spans(&mut objects, &SourceOptions::default(), |_| true);
        let at_six: Vec<i64> = wanted(&objects, DAY + 6 * HOUR_S, DAY + 6 * HOUR_S + 60);
        assert_eq!(
            at_six.iter().filter(|time| **time == 12 * HOUR_S).count(),
            4,
            "what they hold may begin at midnight"
        );
        assert_eq!(at_six.iter().filter(|time| **time == 0).count(), 1, "the one of the long files");
        assert_eq!(at_six.len(), 5 + 18);
    }

    /// The slow twin: asks every other name of the series whether it rules a second out.
    fn may_hold(times: &[i64], folder: Option<(i64, i64)>, time_s: i64, second: i64) -> bool {
        let SourceOptions { late_margin_s: late, early_margin_s: early, .. } = SourceOptions::default();
        if second >= time_s {
            let mut later = times.iter().filter(|other| **other > time_s).peekable();
            let end = folder.map(|(_, to_s)| to_s.max(time_s)).filter(|_| later.peek().is_none());
            later.all(|other| second <= other + early) && end.is_none_or(|end| second <= end + early)
        } else {
            let mut earlier = times.iter().filter(|other| **other < time_s).peekable();
            let begin = folder.map(|(from_s, _)| from_s.min(time_s)).filter(|_| earlier.peek().is_none());
            earlier.all(|other| second >= other - late) && begin.is_none_or(|begin| second >= begin - late)
        }
    }

    proptest! {
        #[test]
        fn spans_agree_with_the_slow_twin(
            minutes in proptest::collection::vec(-120i64..1_600, 1..9),
            daily in any::<bool>(),
            asked in -10_000i64..100_000,
        ) {
            let times: Vec<i64> = minutes.iter().map(|minute| DAY + minute * 60).collect();
            let folder = if daily { DAILY } else { "copies" };
            for found in noted(folder, &times) {
                let second = DAY + asked;
                let one = TimeRange { from_s: Some(second), to_s: Some(second + 1) };
                let span = daily.then_some((DAY, DAY + DAY_S));
                let expected = may_hold(&times, span, found.facts.file_time_s.unwrap(), second);
                prop_assert_eq!(found.starts.overlaps(&one), expected, "{} at {}", found.url, asked);
            }
        }

        #[test]
        fn no_record_is_lost_however_long_files_are(
            cuts in proptest::collection::btree_set(0i64..1_440, 1..12),
            copies in 1usize..3,
            by_end in any::<bool>(),
            // Records may begin this much before or after what their file stands for.
            stray in -900i64..900,
            second in 0i64..DAY_S,
            width in 1i64..7_200,
        ) {
            // A day in consecutive files, each named by its begin or its end.
            let mut edges: Vec<i64> = cuts.iter().map(|minute| DAY + minute * 60).collect();
            edges[0] = DAY;
            edges.push(DAY + DAY_S);
            let (from_s, to_s) = (DAY + second, DAY + second + width);
            let range = TimeRange { from_s: Some(from_s), to_s: Some(to_s) };
            let files: Vec<(i64, i64)> = edges.windows(2).map(|edge| (edge[0], edge[1])).collect();
            let name = |file: &(i64, i64)| if by_end { file.1 } else { file.0 };
            for folder in [DAILY, "copies"] {
                let times: Vec<i64> = files.iter().flat_map(|file| std::iter::repeat_n(name(file), copies)).collect();
                let found = wanted(&noted(folder, &times), from_s, to_s);
                for file in &files {
                    let holds = file.0 + stray < range.to_s.unwrap() && from_s < file.1 + stray;
                    let read = found.iter().filter(|time| **time == name(file) - DAY).count();
                    prop_assert!(!holds || read == copies, "{folder}: {file:?} for {second} + {width}");
                }
            }
        }
    }
}
