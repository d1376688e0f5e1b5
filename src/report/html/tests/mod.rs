//! Goldens of the figures, and pages with hostile words. With `FLOWSIFT_PAGES=FOLDER` pages are written there for
//! browsers to try; see `scripts/try-page`.

mod example;
mod hostile;
mod run;

use super::draw::blast::blast;
use super::draw::gaps::Gaps;
use super::draw::lanes::lanes;
use super::draw::raster::Raster;
use super::draw::uploads::uploads;
use super::figures::Figures;
use super::parts::findings::FIRST_ROWS;
use super::*;
use hostile::hostile;

fn written(
    summary: &Summary,
    incidents: &[Incident],
    findings: &[Finding],
    figures: &Figures,
    command: &str,
) -> String {
    let mut bytes = Vec::new();
    let page = Page { summary, incidents, findings, figures, allowed: 2, command: Some(command) };
    write_html(&mut bytes, &page).unwrap();
    String::from_utf8(bytes).unwrap()
}

const COMMAND: &str = "flowsift detect s3://flow-logs/AWSLogs --from 24h --state s3://findings/state --format html";

fn whole() -> String {
    written(&run::summary(), &example::incidents(), &run::findings(), &run::figures(), COMMAND)
}

#[test]
fn golden_of_the_lanes() {
    insta::assert_snapshot!(lanes(&example::intrusion(), "arrow").unwrap().into_text());
}

#[test]
fn golden_of_the_blast_columns() {
    insta::assert_snapshot!(blast(&example::intrusion(), "arrow").unwrap().into_text());
}

#[test]
fn goldens_of_the_plots() {
    let starts = run::beats(60);
    insta::assert_snapshot!("raster", Raster::of(&starts).unwrap().draw().into_text());
    insta::assert_snapshot!("gaps", Gaps::of(&starts).unwrap().draw().into_text());
    insta::assert_snapshot!("uploads", uploads(&run::figures().uploads[0]).unwrap().into_text());
    let many: Vec<i64> = (0..5_000).map(|number| example::FROM_S + number).collect();
    let bins = Raster::of(&many).unwrap();
    assert!(bins.note().contains("by the minute"), "{}", bins.note());
    assert!(bins.draw().into_text().len() < 6_000);
    let long: Vec<i64> = (0..72).map(|hour| example::FROM_S + hour * 3_600).collect();
    assert_eq!(Raster::of(&long).unwrap().note(), " The last 24 hours; 48 earlier starts are not drawn.");
}

#[test]
fn a_page_has_every_part_and_the_same_bytes_each_time() {
    let text = whole();
    assert_eq!(text, whole());
    let policy = "<head>\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src &#39;none&#39;; script-src &#39;sha256-";
    assert!(text.contains(policy), "the policy is the first element");
    for part in [
        "<h1>",
        "Why these belong together",
        "10.0.28.247 entered 10.0.3.9 over port 3389",
        "Hosts, to isolate",
        "Outside addresses, to block",
        "Blast radius",
        "and 5 others in the table",
        "2 shared services",
        "Commands to copy",
        "When 10.0.57.128 to 103.6.160.233, tcp port 443",
        "Uploads of other hosts by hour",
        "No band: 1 day of this host&#39;s history are too few",
        "Plots of 4 other findings with a cadence.",
        "2 findings lowered to informational, as --allow names the contact.",
        "closed: judged a false positive",
        COMMAND,
    ] {
        assert!(text.contains(part), "{part}");
    }
    for never in ["style=", "http://", "https://", "javascript:", " onclick"] {
        assert!(!text.contains(never), "{never}");
    }
    let mut ids: Vec<&str> = text.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "an id stands twice");
}

#[test]
fn an_empty_run_says_so() {
    let text = written(&Summary::default(), &[], &[], &Figures::default(), "flowsift detect x");
    for part in ["No incident, no finding", "No findings were tied into an incident", "nothing could be judged"] {
        assert!(text.contains(part), "{part}");
    }
}

#[test]
fn only_the_first_findings_are_rows_and_all_are_data() {
    let findings = run::many(1_000);
    let text = written(&run::summary(), &[], &findings, &Figures::default(), COMMAND);
    let table = text.split("Findings, the worst first").nth(2).unwrap_or_default().split("</table>").next().unwrap();
    assert_eq!(table.matches("<tr>").count(), FIRST_ROWS + 1);
    let data = text.split("id=\"findings-data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let rows: Vec<Vec<serde_json::Value>> = serde_json::from_str(data).unwrap();
    assert_eq!((rows.len(), rows[999].len()), (1_000, 11));
}

/// A page with hostile words wherever words of others can stand.
fn hostile_page() -> String {
    let incidents: Vec<Incident> = example::incidents().iter().map(hostile).collect();
    let mut findings: Vec<Finding> = run::findings().iter().map(hostile).collect();
    let mut named = hostile(&findings[0]);
    named.host = None;
    named.principal = Some(hostile::WORDS.to_owned());
    named.credential = Some(hostile::WORDS.to_owned());
    named.source = Some(hostile::WORDS.to_owned());
    named.app = Some(hostile::WORDS.to_owned());
    named.object = Some(hostile::WORDS.to_owned());
    named.event_ids = vec![hostile::WORDS.to_owned()];
    named.incident_id = Some(incidents[0].id.clone());
    findings.push(named);
    let mut figures = run::figures();
    figures.beats.iter_mut().for_each(|beat| {
        beat.title = hostile::WORDS.to_owned();
        beat.subject = findings[0].subject.clone();
    });
    for upload in &mut figures.uploads {
        upload.account_id = hostile::WORDS.to_owned();
        upload.region = hostile::WORDS.to_owned();
    }
    let words = || hostile::WORDS.to_owned();
    let mut summary = run::summary();
    summary.flowsift_version = words();
    summary.run_id = Some(words());
    summary.sources = vec![words()];
    summary.kept_trouble = Some(words());
    for objects in [&mut summary.skipped_objects, &mut summary.other_log_objects, &mut summary.copied_objects] {
        objects.iter_mut().for_each(|object| (object.object, object.reason) = (words(), words()));
    }
    summary.log_gaps.iter_mut().for_each(|gap| gap.explanation = words());
    summary.one_way_interfaces = vec![words()];
    summary.opaque_forwarders = vec![words()];
    summary.findings_by_detection.insert(words(), 1);
    written(&summary, &incidents, &findings, &figures, hostile::WORDS)
}

#[test]
fn hostile_words_stay_words() {
    let (text, plain) = (hostile_page(), whole());
    // What the words would make, beside the page's own style and script, which are the same on each page.
    let own = |text: &str| text.replace(policy::STYLE, "").replace(policy::SCRIPT, "");
    let (text, plain) = (own(&text), own(&plain));
    for never in ["<img", "<script>window", "<svg onload", "<a href=\"javascript", "<a href=javascript", "<!--"] {
        assert!(!text.contains(never), "{never}");
    }
    for letter in ['\u{202e}', '\u{0}', '\u{1b}', '\u{2028}', '\u{9b}'] {
        assert!(!text.contains(letter), "{letter:?}");
    }
    let count = |text: &str, tag: &str| text.matches(tag).count();
    assert_eq!(count(&text, "<script"), count(&plain, "<script"));
    assert_eq!(count(&text, "</script>"), count(&plain, "</script>"));
    assert_eq!(count(&text, "</style>"), 1);
    assert!(count(&text, "\\u{202e}") > 100 && count(&text, "&lt;img src=x") > 100);
    assert_eq!(count(&text, "<svg "), count(&plain, "<svg "));
}

#[test]
fn pages_for_browsers() {
    let Some(folder) = std::env::var_os("FLOWSIFT_PAGES") else { return };
    let folder = std::path::PathBuf::from(folder);
    let many = written(&run::summary(), &example::incidents(), &run::many(10_000), &run::figures(), COMMAND);
    let empty = written(&Summary::default(), &[], &[], &Figures::default(), "flowsift detect x");
    for (name, text) in [("whole", whole()), ("hostile", hostile_page()), ("many", many), ("empty", empty)] {
        std::fs::write(folder.join(name).with_extension("html"), text).unwrap();
    }
}
