//! `detect --format html`: a page on stdout and among the files of `--out`.

use std::fs;

use serde_json::Value;

use crate::program::{Corpus, flowsift, scratch};

#[test]
fn a_page_shows_what_was_found() {
    let corpus = Corpus::shared();
    let folder = scratch();
    let out = folder.path().to_str().unwrap();
    let ran = flowsift(["detect", corpus.source(), "--format", "html", "--out", out, "-q"]).expect(0);
    let page = ran.text();
    assert!(
        page.starts_with("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta http-equiv=\"Content-Security-Policy\"")
    );
    assert!(page.ends_with("</html>\n"));
    // The page beside the findings is the one on stdout, and part of the set.
    assert_eq!(fs::read_to_string(folder.path().join("report.html")).unwrap(), page);
    let manifest: Value = serde_json::from_slice(&fs::read(folder.path().join("manifest.json")).unwrap()).unwrap();
    assert!(manifest["files"].as_array().unwrap().iter().any(|file| file["name"] == "report.html"));
    assert!(page.contains(manifest["run_id"].as_str().unwrap()));
    // Every finding is data of the page, and each planted beacon has its starts drawn.
    let findings = fs::read_to_string(folder.path().join("findings.jsonl")).unwrap();
    let data = page.split("id=\"findings-data\">").nth(1).unwrap().split("</script>").next().unwrap();
    let rows: Vec<Value> = serde_json::from_str(data).unwrap();
    assert_eq!(rows.len(), findings.lines().count());
    let paced = findings.lines().filter(|line| line.contains("\"period_s\":") && !line.contains("\"period_s\":null"));
    assert!(page.matches("Connection starts: a row for each hour").count() >= paced.count().min(3));
    assert!(page.contains("What 10.") && page.contains("sent out by hour"));
    assert!(page.contains("No band: there is no history of this host"));
    assert!(page.contains(&format!("flowsift detect {} --format html", corpus.source())));
}

#[test]
fn the_same_command_makes_the_same_bytes() {
    let corpus = Corpus::shared();
    let page = || flowsift(["detect", corpus.source(), "--format", "html", "-q"]).expect(0).out;
    assert!(page() == page());
}
