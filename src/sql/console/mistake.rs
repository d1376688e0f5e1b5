//! What is wrong with a statement: the position in the SQL, and the names that may have been meant.

use super::hints;
use super::suggest::suggest;
use super::vocabulary::{KEYWORDS, function_names, table_names};
use crate::sql::CATALOG;
use crate::sql::engine::spill_error;
use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use flow::error_text;
use std::collections::BTreeSet;
use std::fmt;

/// A position in a statement: line and column from 1, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
    /// Length of the wrong part in characters, at least 1.
    pub length: usize,
}

/// The kinds of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MistakeKind {
    /// The text is not SQL.
    Syntax,
    /// The column does not exist.
    NoColumn,
    /// A name fits several columns, or is given twice.
    Ambiguous,
    /// The table or file does not exist.
    NoTable,
    /// The function does not exist, or not for these arguments.
    NoFunction,
    /// There is not enough memory.
    Memory,
    /// What does not fit into memory cannot be spilled.
    Spill,
    /// The engine does not support it.
    Unsupported,
    /// The planner refuses it.
    Plan,
    /// A value cannot be used.
    Value,
    /// Something else went wrong, such as reading a file.
    Other,
}

/// Why a statement did not run, explained to its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The kind of mistake.
    pub kind: MistakeKind,
    /// What is wrong.
    pub message: String,
    /// The position, if known.
    pub place: Option<Place>,
    /// The name that may have been meant.
    pub hint: Option<String>,
    /// The line of the statement that `place` refers to.
    source: Option<String>,
}

impl Mistake {
    /// Counts lines from the start of the script; the statement begins in its line `first`.
    #[must_use]
    pub fn in_script(mut self, first: usize) -> Self {
        if let Some(place) = &mut self.place {
            place.line += first.saturating_sub(1);
        }
        self
    }
}

impl fmt::Display for Mistake {
    /// Writes the message, then the line with carets under the mistake, then the hint.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let (Some(place), Some(source)) = (self.place, &self.source) {
            let number = format!("line {}", place.line);
            let space = " ".repeat(number.len() + 3 + place.column - 1);
            write!(f, "\n{number} | {source}\n{space}{}", "^".repeat(place.length))?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n{hint}"),
            None => Ok(()),
        }
    }
}

/// Explains why `sql` failed.
pub fn explain(context: &SessionContext, sql: &str, error: &DataFusionError) -> Mistake {
    let root = error.find_root();
    let span = error.diagnostic().and_then(|diagnostic| diagnostic.span);
    let of_span = span.map(|span| {
        let (line, column) = (span.start.line as usize, span.start.column as usize);
        let same_line = span.start.line == span.end.line && span.end.column > span.start.column;
        Place { line, column, length: if same_line { (span.end.column - span.start.column) as usize } else { 1 } }
    });
    let of_times = hints::time_and_number(sql, root);
    let spill = spill_error(error);
    let (message, name, hint) = match root {
        _ if spill.is_some() => (spill.map_or_else(String::new, |spill| error_text(spill)), None, None),
        _ if of_times.is_some() => of_times.map_or_else(Default::default, |(said, hint)| (said, None, Some(hint))),
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { field, valid_fields } => {
                let known: BTreeSet<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
                let names: Vec<&str> = known.iter().copied().collect();
                let hint = hints::column(&field.name, &names);
                let hint = hint.or_else(|| meant(&field.name, known.iter().copied()));
                let hint = hint.or_else(|| {
                    let few = known.len() <= 12 && !known.is_empty();
                    few.then(|| format!("columns are {}", known.iter().copied().collect::<Vec<_>>().join(", ")))
                });
                (format!("no column `{}`", field.flat_name()), Some(field.name.clone()), hint)
            }
            other => (other.to_string(), None, None),
        },
        DataFusionError::SQL(error, _) => (said_by_parser(&error.to_string()), None, None),
        DataFusionError::External(error) => (error_text(&**error), None, None),
        DataFusionError::ResourcesExhausted(said) => {
            (format!("not enough memory: {said}: allow more with --memory"), None, None)
        }
        DataFusionError::Plan(said) => of_plan(context, said),
        DataFusionError::Execution(said) => (said.clone(), None, None),
        other => (other.strip_backtrace(), None, None),
    };
    let (message, of_parser) = match split_place(&message) {
        Some((said, line, column)) => (said, Some(Place { line, column, length: 1 })),
        None => (message, None),
    };
    let bare = (hint.is_none() && root_is_of_text(root)).then(|| hints::bare_address(sql)).flatten();
    let (message, hint, of_address) = match bare {
        Some((address, hint)) => {
            let place = find(sql, &address);
            (format!("`{address}` is no number and no name"), Some(hint), place)
        }
        None => (message, hint, None),
    };
    let place = of_address
        .or(of_span)
        .or(of_parser)
        .or_else(|| find(sql, name.as_deref()?))
        .or_else(|| find_literal(sql, &message));
    let source = place.and_then(|place| sql.lines().nth(place.line - 1)).map(|line| line.replace('\t', " "));
    let place = place.filter(|_| source.is_some()).map(|place| widen(place, source.as_deref().unwrap_or_default()));
    let hint = hint.or_else(|| hints::text_of_time(&message)).or_else(|| hints::text_of_number(&message));
    let hint = hint.or_else(|| {
        let word = match root {
            DataFusionError::SQL(_, _) => word_at(source.as_deref()?, place?.column)?,
            _ => return None,
        };
        if let Some(hint) = hints::keyword(&word).or_else(|| hints::bare_size(sql, &word)) {
            return Some(hint);
        }
        let known = KEYWORDS.contains(&word.to_ascii_uppercase().as_str());
        if known { None } else { meant(&word.to_ascii_uppercase(), KEYWORDS.iter().copied()) }
    });
    let kind = if spill.is_some() { MistakeKind::Spill } else { kind_of(root, &message) };
    Mistake { kind, message, place, hint, source }
}

/// Returns whether an error is about how a statement is written.
fn root_is_of_text(root: &DataFusionError) -> bool {
    matches!(
        root,
        DataFusionError::SQL(..)
            | DataFusionError::Plan(_)
            | DataFusionError::NotImplemented(_)
            | DataFusionError::SchemaError(..)
    )
}

/// Classifies an error; `message` describes it.
fn kind_of(root: &DataFusionError, message: &str) -> MistakeKind {
    match root {
        DataFusionError::SQL(_, _) => MistakeKind::Syntax,
        DataFusionError::SchemaError(error, _) => match error.as_ref() {
            SchemaError::FieldNotFound { .. } => MistakeKind::NoColumn,
            _ => MistakeKind::Ambiguous,
        },
        DataFusionError::Plan(_) if message.starts_with("no table") || message.starts_with("no file") => {
            MistakeKind::NoTable
        }
        DataFusionError::Plan(_) if message.starts_with("no function") || message.contains("No function matches") => {
            MistakeKind::NoFunction
        }
        DataFusionError::Plan(_) => MistakeKind::Plan,
        _ if message.starts_with("a time ") => MistakeKind::Plan,
        DataFusionError::NotImplemented(_) => MistakeKind::Unsupported,
        DataFusionError::ResourcesExhausted(_) => MistakeKind::Memory,
        DataFusionError::Execution(_) | DataFusionError::ArrowError(_, _) => MistakeKind::Value,
        _ => MistakeKind::Other,
    }
}

/// Reads the planner's messages about tables and functions.
fn of_plan(context: &SessionContext, said: &str) -> (String, Option<String>, Option<String>) {
    let quoted = |after: &str| said.strip_prefix(after)?.split('\'').next().map(str::to_owned);
    let table = quoted("table '").filter(|_| said.ends_with("not found")).or_else(|| quoted("No table named '"));
    if let Some(table) = table {
        let name = table.rsplit('.').next().unwrap_or(&table).to_owned();
        let whole = table.strip_prefix(&format!("{CATALOG}.public.")).unwrap_or(&table).to_owned();
        let name = if whole.contains(['/', '.']) { whole } else { name };
        if name.contains(['/', '.']) {
            let hint = "files end in .parquet, .csv, .tsv, .json, .jsonl or .ndjson".to_owned();
            return (format!("no file `{name}` that is a table"), Some(name), Some(hint));
        }
        let tables = table_names(context);
        let hint = meant(&name, tables.iter().map(String::as_str));
        let hint = hint.unwrap_or_else(|| format!("tables are {}; files stand in quotes", tables.join(", ")));
        return (format!("no table `{name}`"), Some(name), Some(hint));
    }
    if let Some(name) = quoted("Invalid function '") {
        let functions = function_names(context);
        let hint = hints::function(&name);
        let hint = hint.or_else(|| meant(&name, functions.iter().map(String::as_str)));
        return (format!("no function `{name}`"), Some(name), hint);
    }
    (said.to_owned(), None, None)
}

/// Suggests names similar to `name`; `None` when there are none.
fn meant<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<String> = suggest(name, known).into_iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
}

/// Strips the wrapping from the parser's message.
fn said_by_parser(said: &str) -> String {
    let said = said.strip_prefix("sql parser error: ").unwrap_or(said);
    let said = said.strip_prefix("Expected: ").map_or_else(|| said.to_owned(), |rest| format!("expected {rest}"));
    said.replace(", found: EOF", ", found the end of the statement").replace(", found: ", ", found ")
}

/// Removes ` at Line: 1, Column: 8` from a message.
fn split_place(said: &str) -> Option<(String, usize, usize)> {
    let (before, place) = said.rsplit_once("at Line: ")?;
    let (line, column) = place.split_once(", Column: ")?;
    let digits: String = column.chars().take_while(char::is_ascii_digit).collect();
    let (line, column) = (line.parse().ok()?, digits.parse().ok()?);
    (line > 0 && column > 0).then(|| (before.trim_end().to_owned(), line, column))
}

/// Finds the first position where a name stands as a whole word.
fn find(sql: &str, name: &str) -> Option<Place> {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let wanted = name.to_lowercase();
    for (line, text) in sql.lines().enumerate() {
        let lower = text.to_lowercase();
        for (at, _) in lower.match_indices(&wanted) {
            let before = lower[..at].chars().next_back();
            let after = lower[at + wanted.len()..].chars().next();
            if !before.is_some_and(is_word) && !after.is_some_and(is_word) {
                let column = lower[..at].chars().count() + 1;
                return Some(Place { line: line + 1, column, length: name.chars().count().max(1) });
            }
        }
    }
    None
}

/// Finds the text that a message quotes, such as an invalid time.
fn find_literal(sql: &str, message: &str) -> Option<Place> {
    let quoted = message.split('\'').skip(1).step_by(2).find(|quoted| sql.contains(&format!("'{quoted}'")))?;
    let before = &sql[..sql.find(&format!("'{quoted}'"))?];
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Place { line: before.matches('\n').count() + 1, column, length: quoted.chars().count() + 2 })
}

/// Returns the word that begins at a column.
fn word_at(line: &str, column: usize) -> Option<String> {
    let word: String = line.chars().skip(column - 1).take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// Extends a position of one character to the whole word, and keeps it within its line.
fn widen(place: Place, line: &str) -> Place {
    let left = (line.chars().count() + 1).saturating_sub(place.column).max(1);
    let length = match word_at(line, place.column) {
        Some(word) if place.length == 1 => word.chars().count(),
        _ => place.length,
    };
    Place { length: length.min(left), ..place }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::Lists;
    use crate::sql::open_session;
    use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampSecondArray};
    use std::sync::Arc;

    async fn said(sql: &str) -> String {
        let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let times: ArrayRef = Arc::new(TimestampSecondArray::from(vec![1]).with_timezone("UTC"));
        let columns = [("srcaddr", numbers.clone()), ("bytes", numbers), ("start", times.clone()), ("end", times)];
        let rows = RecordBatch::try_from_iter(columns).unwrap();
        let lists = Lists::default();
        let context = open_session(vec![("flows", vec![rows])], &lists, 1).unwrap();
        context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        let error = match context.sql(sql).await {
            Ok(frame) => frame.collect().await.unwrap_err(),
            Err(error) => error,
        };
        explain(&context, sql, &error).to_string()
    }

    #[tokio::test]
    async fn mistakes_have_their_place_and_a_near_name() {
        for (sql, expected) in [
            (
                "SELECT bytes,\n  srcadr\nFROM flows",
                "no column `srcadr`\nline 2 |   srcadr\n           ^^^^^^\ndid you mean `srcaddr`?",
            ),
            (
                "SELECT 1 FROM flow",
                "no table `flow`\nline 1 | SELECT 1 FROM flow\n                       ^^^^\ndid you mean `flows`?",
            ),
            (
                "SELECT human_byte(bytes) FROM flows",
                "no function `human_byte`\nline 1 | SELECT human_byte(bytes) FROM flows\n                ^^^^^^^^^^\n\
                 did you mean `human_bytes`?",
            ),
            (
                "SELEC 1",
                "expected an SQL statement, found SELEC\nline 1 | SELEC 1\n         ^^^^^\ndid you mean `SELECT`?",
            ),
            ("SELECT 1 +", "expected an expression, found the end of the statement"),
            (
                "SELECT 1 FROM flows\nWHERE to_timestamp('noon') > now()",
                "Arrow error: Parser error: Error parsing timestamp from 'noon': timestamp must contain at least 10 \
                 characters\nline 2 | WHERE to_timestamp('noon') > now()\n                            ^^^^^^\n\
                 times are written '2023-11-22 06:00:00' or '2023-11-22T06:00:00Z'",
            ),
        ] {
            assert_eq!(said(sql).await, expected, "{sql}");
        }
    }

    #[tokio::test]
    async fn forms_of_other_engines_get_the_form_that_works() {
        for (sql, part) in [
            ("SELECT 1 FROM flows WHERE start >= 1700632800", "write `to_timestamp(1700632800)`"),
            ("SELECT 1 FROM flows WHERE 1700632800 > start", "write `to_timestamp(1700632800)`"),
            ("SELECT 1 FROM flows WHERE start BETWEEN 1700632800 AND 1700632900", "write `to_timestamp(1700632800)`"),
            ("SELECT 1 FROM flows WHERE start > now() - 3600", "INTERVAL '3600 seconds'"),
            ("SELECT from_unixtime(start) FROM flows", "are times already"),
            ("SELECT start, end FROM flows", "the column is `\"end\"`"),
            ("SELECT sourceaddress FROM flows", "here it is `srcaddr`"),
            ("SELECT endtime FROM flows", "here it is `\"end\"`"),
            ("SELECT time_bucket('5m', start) FROM flows", "window(start, '5 minutes')"),
            ("SELECT timezone('Asia/Tokyo', '2023-11-22 06:00') FROM flows", "TIMESTAMP '2023-11-22 06:00:00' AT TIME"),
            ("SELECT 1 FROM flows WHERE dstaddr = 10.0.0.1", "^^^^^^^^\nan address stands in quotes: '10.0.0.1'"),
            ("SELECT 1 FROM flows WHERE dstaddr = 2001:db8::1", "an address stands in quotes: '2001:db8::1'"),
            ("SELECT srcip FROM flows", "here it is `srcaddr`"),
            ("SELECT in_network(srcaddr, '10.0.0.0/8') FROM flows", "cidr_contains('10.0.0.0/8', srcaddr)"),
            ("SELECT 1 FROM flows WHERE bytes > '1 GB'", "sizes are numbers of bytes: 1000000000"),
            ("SELECT 1 FROM flows WHERE bytes > 2 GB", "sizes are numbers of bytes: 2000000000"),
            ("SELECT 1 FROM flows WHERE bytes = 'tcp'", "protocol_name(protocol) = 'tcp'"),
            ("SELECT timezone('Asia/Tokio', start) FROM flows", "`Asia/Tokio` is not a time zone"),
            ("SELECT to_char(start, 'YYYY at noon') FROM flows", "date_format(time, '%Y-%m-%d %H:%M')"),
        ] {
            let said = said(sql).await;
            assert!(said.contains(part) && !said.contains("bug in DataFusion"), "{sql}: {said}");
        }
    }

    #[test]
    fn places_stay_within_their_line() {
        let place = |column, length| Place { line: 1, column, length };
        assert_eq!(widen(place(3, 1), "a bcd e"), place(3, 3));
        assert_eq!(widen(place(7, 9), "a bcd e"), place(7, 1));
        assert_eq!(widen(place(8, 1), "a bcd e"), place(8, 1));
        assert_eq!(split_place("x at Line: 2, Column: 17."), Some(("x".to_owned(), 2, 17)));
        assert_eq!(find("select a_b,\n a from t", "A"), Some(Place { line: 2, column: 2, length: 1 }));
    }
}
