//! The reference of all functions, generated from the documentation next to their code.

use super::FunctionDoc;
use super::{
    addresses, aggregates, burst, formatting, history, indicators, judgement, known_services, time, train_functions,
    zones,
};
use std::fmt::Write;

/// Returns all functions of flowsift, by group; the engine's own are not listed.
pub fn function_docs() -> Vec<&'static FunctionDoc> {
    [
        addresses::DOCS,
        indicators::DOCS,
        known_services::DOCS,
        formatting::DOCS,
        time::DOCS,
        zones::DOCS,
        judgement::DOCS,
        burst::DOCS,
        train_functions::DOCS,
        history::DOCS,
        aggregates::DOCS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Writes the list for a terminal.
pub fn table() -> String {
    let mut out = String::new();
    let mut group = "";
    for function in function_docs() {
        if function.group != group {
            group = function.group;
            let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, group.to_uppercase());
        }
        let _ = writeln!(out, "  {}", function.call);
        for line in wrapped(function.returns, 100) {
            let _ = writeln!(out, "      {line}");
        }
        let result = if function.result.is_empty() { "NULL" } else { function.result };
        let _ = writeln!(out, "      {}  →  {result}", function.example);
    }
    out
}

/// Writes the page `docs/functions.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Functions\n\nThe functions of `flowsift sql` and `flowsift query` in addition to those of the engine (Apache \
         DataFusion: `date_trunc`, `approx_distinct`, `regexp_like`, …). This page is generated from the code \
         (`flowsift sql --functions` prints the same), and a test runs every example. Addresses are text, as in all \
         tables here, or 16 bytes, as in the tables of detections; both are accepted everywhere.\n",
    );
    let mut group = "";
    for function in function_docs() {
        if function.group != group {
            group = function.group;
            let (first, rest) = group.split_at(1);
            let _ = write!(out, "\n## {}{rest}\n", first.to_uppercase());
        }
        let result = if function.result.is_empty() { "NULL" } else { function.result };
        let _ = write!(
            out,
            "\n### `{}`\n\n{}\n\n```sql\n{};\n-- {result}\n```\n",
            function.call,
            function.returns,
            function.query()
        );
    }
    out
}

/// Breaks a text into lines of at most `width` characters.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::{self, Lists};
    use crate::sql::{open_session, run};
    use arrow::util::display::{ArrayFormatter, FormatOptions};
    use std::collections::BTreeSet;

    #[test]
    fn every_function_is_described_once() {
        let mut names: Vec<String> =
            functions::scalars(&Lists::default()).iter().map(|f| f.name().to_owned()).collect();
        names.extend(functions::aggregates().iter().map(|f| f.name().to_owned()));
        names.sort();
        let described: Vec<&str> = function_docs().iter().map(|function| function.name).collect();
        assert_eq!(described.iter().copied().collect::<BTreeSet<_>>().len(), described.len());
        assert_eq!(names, described.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn every_example_gives_what_is_said() {
        let session = open_session(Vec::new(), &Lists::default(), 2).unwrap();
        for function in function_docs() {
            let batches = run(&session, function.name, &function.query()).await.unwrap();
            let rows: Vec<_> = batches.iter().filter(|batch| batch.num_rows() > 0).collect();
            assert_eq!((rows.len(), rows[0].num_rows(), rows[0].num_columns()), (1, 1, 1), "{}", function.name);
            let options = FormatOptions::default();
            let shown = ArrayFormatter::try_new(rows[0].column(0), &options).unwrap().value(0).to_string();
            assert_eq!(shown, function.result, "{}", function.query());
        }
    }

    #[test]
    fn the_page_is_up_to_date() {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/functions.md");
        if std::env::var_os("UPDATE_GOLDENS").is_some() {
            std::fs::write(&path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == markdown(), "docs/functions.md is out of date; UPDATE_GOLDENS=1 cargo test updates it");
    }
}
