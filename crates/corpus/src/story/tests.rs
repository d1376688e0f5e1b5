use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use access::{Inflater, LogKind, ReadOptions, read_object};
use arrow::array::AsArray;
use arrow::datatypes::{Int32Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::labels::{BENIGN_TRAP, StoryLabel, read_story_labels};
use super::*;

/// The seed of datasets/story; see scripts/make-story.
const DEMO_SEED: u64 = 1114;

/// An act of an access log, reduced to what the tests look at.
#[derive(Clone, Debug)]
struct Told {
    time_s: i64,
    principal: String,
    credential: String,
    source: String,
    port: Option<u16>,
    target: String,
}

/// A story that is read back.
struct Story {
    folder: tempfile::TempDir,
    labels: Vec<StoryLabel>,
    /// Acts by log and id.
    acts: HashMap<(&'static str, String), Told>,
    counts: BTreeMap<&'static str, u64>,
    summary: StorySummary,
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_below(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn read_back(options: StoryOptions) -> Story {
    let folder = tempfile::tempdir().unwrap();
    let summary = generate_story(&StoryOptions { out: folder.path().to_owned(), ..options }, &|_| {}).unwrap();
    let (mut acts, mut counts) = (HashMap::new(), BTreeMap::new());
    for path in files_below(folder.path()) {
        let key = path.strip_prefix(folder.path()).unwrap().to_str().unwrap();
        let bytes = fs::read(&path).unwrap();
        let read = read_object(&mut Inflater::default(), key, &bytes, &ReadOptions::default(), &mut |act| {
            *counts.entry(act.log.name()).or_default() += 1;
            let id = match act.log.name() {
                "atlassian_audit" => format!("{}:{}:{}", act.service, act.time_us / 1_000, act.action),
                _ if act.event_id.is_empty() => act.trace.to_string(),
                _ => act.event_id.to_string(),
            };
            let told = Told {
                time_s: act.second(),
                principal: act.principal.to_string(),
                credential: act.credential.last_four().to_owned(),
                source: act.source.to_string(),
                port: act.source_port,
                target: act.target.to_string(),
            };
            let log = act.log.name();
            assert!(acts.insert((log, id.clone()), told).is_none() || log == "atlassian_audit", "{log} {id} twice");
        })
        .unwrap();
        assert_eq!(read.counts.bad_records, 0, "{key}: {:?}", read.counts.first_bad);
        let known = ["labels.csv", "networks.csv", "corpus.json"];
        assert!(read.kind != LogKind::Unknown || known.contains(&key), "{key} is not recognised");
    }
    let labels = read_story_labels(&folder.path().join("labels.csv")).unwrap();
    Story { folder, labels, acts, counts, summary }
}

/// The story of datasets/story, made once.
fn demo() -> &'static Story {
    static DEMO: OnceLock<Story> = OnceLock::new();
    DEMO.get_or_init(|| read_back(StoryOptions { seed: DEMO_SEED, ..StoryOptions::default() }))
}

fn varied(variation: Variation) -> Story {
    read_back(StoryOptions { seed: 5, people: 8, variation, ..StoryOptions::default() })
}

impl Story {
    fn of(&self, label: &StoryLabel) -> Option<&Told> {
        let log = ["cloudtrail", "okta", "alb", "bitbucket_access"].into_iter().find(|log| *log == label.log);
        self.acts.get(&(log.unwrap_or("atlassian_audit"), label.id.clone()))
    }

    fn stages(&self) -> BTreeMap<&str, usize> {
        let mut stages = BTreeMap::new();
        self.labels.iter().for_each(|label| *stages.entry(label.stage.as_str()).or_default() += 1);
        stages
    }

    /// Returns the 5-tuple and the first second of every flow record.
    fn flows(&self) -> HashSet<(String, String, i32, i32, i64)> {
        let mut flows = HashSet::new();
        for path in files_below(self.folder.path()).iter().filter(|path| path.to_str().unwrap().ends_with(".parquet")) {
            let reader =
                ParquetRecordBatchReaderBuilder::try_new(fs::File::open(path).unwrap()).unwrap().build().unwrap();
            for batch in reader {
                let batch = batch.unwrap();
                let text = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
                let number = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Int32Type>().clone();
                let (src, dst) = (text("srcaddr"), text("dstaddr"));
                let (src_port, dst_port) = (number("srcport"), number("dstport"));
                let start = batch.column_by_name("start").unwrap().as_primitive::<Int64Type>().clone();
                for row in 0..batch.num_rows() {
                    let ports = (src_port.value(row), dst_port.value(row));
                    let parties = (src.value(row).to_owned(), dst.value(row).to_owned());
                    flows.insert((parties.0, parties.1, ports.0, ports.1, start.value(row)));
                }
            }
        }
        flows
    }
}

#[test]
fn every_labelled_record_is_read_with_its_time_and_its_caller() {
    let story = demo();
    for label in story.labels.iter().filter(|label| label.log != "flows") {
        let told = story.of(label).unwrap_or_else(|| panic!("{} {} is in no log", label.log, label.id));
        assert_eq!(told.time_s, label.time_s, "{label:?}");
        assert_eq!((&told.principal, &told.credential), (&label.principal, &label.credential), "{label:?}");
        assert_eq!(told.source, label.source.map_or_else(String::new, |source| source.to_string()), "{label:?}");
    }
    let stages: Vec<(&str, usize)> = story.stages().into_iter().collect();
    let expected = [
        ("account", 5),
        ("after_block", 5),
        ("atlassian", 247),
        ("aws_stale_key", 20),
        (BENIGN_TRAP, 5),
        ("c2", 1),
        ("exfiltration", 1),
        ("lateral", 1),
        ("persist", 2),
        ("probe", 8),
        ("repositories", 196),
        ("return", 6),
    ];
    assert_eq!(stages, expected);
    // What is counted is what is read.
    assert_eq!(story.counts, story.summary.events_by_log);
    for log in ["alb", "atlassian_audit", "bitbucket_access", "cloudtrail", "okta"] {
        assert!(story.counts[log] > 1_000, "{log}: {:?}", story.counts);
    }
}

#[test]
fn requests_join_flows_and_archives_come_from_the_jira_server() {
    let story = demo();
    let flows = story.flows();
    let starts = |a: &str, b: &str, a_port: i32, b_port: i32, around_s: i64| {
        (around_s - 90..=around_s).any(|start| flows.contains(&(a.to_owned(), b.to_owned(), a_port, b_port, start)))
    };
    let nodes = ["10.0.250.10", "10.0.251.10"];
    let jira = story.labels.iter().find(|label| label.stage == "c2").unwrap().host.unwrap().to_string();
    let (mut requests, mut forwarded) = (0, 0);
    for ((_, id), told) in story.acts.iter().filter(|((log, _), _)| *log == "alb") {
        let port = i32::from(told.port.unwrap());
        assert!(nodes.iter().any(|node| starts(&told.source, node, port, 443, told.time_s)), "{id} {told:?}");
        requests += 1;
        if let Some((target, port)) = told.target.split_once(':') {
            assert!(flows.iter().any(|flow| flow.1 == target && flow.3.to_string() == port), "{told:?}");
            forwarded += 1;
        }
    }
    assert!(forwarded > requests * 9 / 10 && requests > 1_000, "{forwarded} of {requests}");
    let archives: Vec<&StoryLabel> = story.labels.iter().filter(|label| label.log == "bitbucket_access").collect();
    assert_eq!(archives.len(), 76);
    assert!(archives.iter().all(|label| label.source.unwrap().to_string() == jira && label.principal == "jmiller2"));
    let beats = flows.iter().filter(|flow| flow.0 == jira && flow.1 == "198.19.201.7").count();
    assert!((2_000..2_400).contains(&beats), "{beats}");
}

#[test]
fn the_same_story_has_the_same_bytes_on_any_number_of_threads() {
    let made = |threads: usize| {
        let folder = tempfile::tempdir().unwrap();
        let options = StoryOptions {
            out: folder.path().to_owned(),
            people: 20,
            variation: Variation::NoHistory,
            events: Some(60_000),
            ..StoryOptions::default()
        };
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let summary = pool.install(|| generate_story(&options, &|_| {})).unwrap();
        assert!((54_000..66_000).contains(&summary.events), "{}", summary.events);
        let mut text = Vec::new();
        for path in files_below(folder.path()) {
            text.push((path.strip_prefix(folder.path()).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
        text
    };
    assert!(made(1) == made(3), "the bytes differ");
}

#[test]
fn datasets_story_is_what_the_generator_writes() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/story");
    let made = demo().folder.path();
    let names = |folder: &Path| -> Vec<PathBuf> {
        files_below(folder).iter().map(|path| path.strip_prefix(folder).unwrap().to_owned()).collect()
    };
    let made_names = names(made);
    let odd = names(&committed).into_iter().find(|name| !made_names.contains(name));
    assert_eq!(odd, None, "a file that the generator does not write");
    for name in &made_names {
        let same = fs::read(committed.join(name)).ok() == fs::read(made.join(name)).ok();
        assert!(same, "{} differs; run scripts/make-story", name.display());
    }
    let bytes: u64 = made_names.iter().map(|name| fs::metadata(committed.join(name)).unwrap().len()).sum();
    assert!(bytes < 5_000_000, "{bytes}");
}

#[test]
fn variations_differ_in_what_they_say() {
    let usual = varied(Variation::None);
    let web = "198.19.200.23";
    let clients = |story: &Story| -> HashSet<String> {
        let of_balancer = story.acts.iter().filter(|((log, _), _)| *log == "alb");
        of_balancer.map(|(_, told)| told.source.clone()).collect()
    };
    assert!(clients(&usual).contains(web) && clients(&usual).len() > 8);

    let gateway = varied(Variation::Gateway);
    assert_eq!(clients(&gateway), HashSet::from(["198.18.6.5".to_owned()]));
    // The application itself is told the client by the gateway.
    assert!(gateway.acts.iter().any(|((log, _), told)| *log == "atlassian_audit" && told.source == web));

    let base = varied(Variation::AuditAtBase);
    let accesses = |story: &Story| story.acts.keys().filter(|(_, id)| id.contains("repositoryaccessed")).count();
    assert!(accesses(&usual) > 1_000 && accesses(&base) == 0);
    assert_eq!((base.stages()["repositories"], base.stages()["account"]), (76, 5));

    let first = |story: &Story| story.acts.values().map(|told| told.time_s).min().unwrap();
    let no_history = varied(Variation::NoHistory);
    assert_eq!(first(&no_history), first(&no_history).max(1_699_920_000));
    assert_eq!(no_history.stages()["probe"], 8);

    let slow = varied(Variation::Slow);
    let mut by_day = BTreeMap::<i64, usize>::new();
    let archives = slow.labels.iter().filter(|label| label.log == "bitbucket_access");
    archives.for_each(|label| *by_day.entry(label.time_s / 86_400).or_default() += 1);
    assert!(by_day.len() >= 14 && by_day.values().all(|count| *count <= 3), "{by_day:?}");

    let token = varied(Variation::TokenArchives);
    let archive = token.labels.iter().find(|label| label.log == "bitbucket_access").unwrap();
    assert!(archive.principal.starts_with("access-token-user/"));
    assert_eq!(token.stages()["token"], 1);

    let provider = varied(Variation::OfficeProvider);
    let step = provider.labels.iter().find(|label| label.stage == "aws_stale_key").unwrap();
    assert_eq!(networks::network_of(networks::OFFICE).owner, "Harbour Fibre");
    assert!(step.source.unwrap().to_string().starts_with("198.18.2."));

    let lost = varied(Variation::LostDay);
    let lost_day = |story: &Story| story.acts.values().filter(|told| told.time_s / 86_400 == 19_682).count();
    assert!(lost_day(&usual) > 50 && lost_day(&lost) == 0);
    assert_eq!((usual.stages()["return"], lost.stages()["return"]), (6, 3));
}

#[test]
fn options_out_of_range_are_named() {
    let people = StoryOptions { people: 7, ..StoryOptions::default() };
    assert_eq!(
        people.validate().unwrap_err().to_string(),
        "option `people` is 7; expected a whole number from 8 to 3900"
    );
    assert!("slwo".parse::<Variation>().unwrap_err().to_string().contains("one of none, gateway, audit_at_base"));
}
