//! The reference of all functions, made from what stands beside their code.

use super::{addresses, aggregates, history, indicators, judgement, time, together, words};
use std::fmt::Write;

/// What is said of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: &'static str,
    /// What it belongs to, such as `addresses`.
    pub group: &'static str,
    /// How it is called; what stands in brackets may be left out.
    pub call: &'static str,
    /// What it gives, with units and ranges.
    pub gives: &'static str,
    /// A worked example: an expression or, of an aggregate, a whole query.
    pub example: &'static str,
    /// What the example gives, as text; empty for NULL.
    pub result: &'static str,
}

impl Described {
    /// The example as a query.
    pub fn query(&self) -> String {
        if self.example.starts_with("SELECT") { self.example.to_owned() } else { format!("SELECT {}", self.example) }
    }
}

/// All functions of flowsift, group by group; the engine's own come besides.
pub fn described() -> Vec<&'static Described> {
    [
        addresses::DESCRIBED,
        indicators::DESCRIBED,
        words::DESCRIBED,
        time::DESCRIBED,
        judgement::DESCRIBED,
        together::DESCRIBED,
        history::DESCRIBED,
        aggregates::DESCRIBED,
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Writes the list for a terminal.
pub fn table() -> String {
    let mut out = String::new();
    let mut group = "";
    for function in described() {
        if function.group != group {
            group = function.group;
            let _ = writeln!(out, "{}{}", if out.is_empty() { "" } else { "\n" }, group.to_uppercase());
        }
        let _ = writeln!(out, "  {}", function.call);
        for line in wrapped(function.gives, 100) {
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
        "# Functions\n\nWhat `flowsift sql` and `flowsift query` know beside the functions of the engine (Apache DataFusion: \
         `date_trunc`, `approx_distinct`, `regexp_like`, …). This page is made from the code (`flowsift sql --functions` \
         prints the same), and a test runs every example. Addresses are texts, as in all tables here, or 16 bytes, as in \
         the tables of detections; both are understood everywhere.\n",
    );
    let mut group = "";
    for function in described() {
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
            function.gives,
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
        let described: Vec<&str> = described().iter().map(|function| function.name).collect();
        assert_eq!(described.iter().copied().collect::<BTreeSet<_>>().len(), described.len());
        assert_eq!(names, described.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>());
    }

    #[tokio::test]
    async fn every_example_gives_what_is_said() {
        let session = open_session(Vec::new(), &Lists::default(), 2).unwrap();
        for function in described() {
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
        assert!(
            page == markdown(),
            "docs/functions.md is not what the code says; UPDATE_GOLDENS=1 cargo test makes it"
        );
    }
}
