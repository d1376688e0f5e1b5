//! Completes names at the prompt, and asks for more lines until a statement ends.

use crate::sql::is_complete;
use crate::sql::{KEYWORDS, function_names, table_names};
use datafusion::prelude::SessionContext;
use rustyline::completion::{Completer, Pair};
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};
use std::collections::{BTreeMap, BTreeSet};

/// The names that can be completed.
pub(super) struct Names {
    /// Columns by table.
    columns: BTreeMap<String, Vec<String>>,
    functions: Vec<String>,
    commands: &'static [&'static str],
}

/// Most names offered at once.
const OFFERED: usize = 60;

impl Names {
    /// Collects the names of a session.
    pub(super) async fn of(context: &SessionContext, commands: &'static [&'static str]) -> Self {
        let mut columns = BTreeMap::new();
        for table in table_names(context) {
            if let Ok(provider) = context.table_provider(table.as_str()).await {
                let names = provider.schema().fields().iter().map(|field| field.name().clone()).collect();
                columns.insert(table, names);
            }
        }
        Self { columns, functions: function_names(context), commands }
    }

    /// Returns where the word at the cursor begins, and its completions.
    fn candidates(&self, line: &str, at: usize) -> (usize, Vec<String>) {
        let before = line.get(..at).unwrap_or(line);
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let from = before
            .rfind(|letter| !is_word(letter))
            .map_or(0, |place| place + before[place..].chars().next().map_or(1, char::len_utf8));
        let word = &before[from..];
        if before.trim_start().starts_with('\\') && !before.trim().contains(' ') {
            let typed = before.trim_start();
            let start = before.len() - typed.len();
            let commands = self.commands.iter().filter(|command| command.starts_with(typed));
            return (start, commands.map(|command| (*command).to_owned()).collect());
        }
        let starts = |name: &str| name.to_ascii_lowercase().starts_with(&word.to_ascii_lowercase());
        // After `table.`, only its columns make sense; an alias may stand for any table.
        if let Some(qualified) = before[..from].strip_suffix('.') {
            let table = qualified.rsplit(|letter| !is_word(letter)).next().unwrap_or_default();
            let all: BTreeSet<&String> = match self.columns.get(table) {
                Some(columns) => columns.iter().collect(),
                None => self.columns.values().flatten().collect(),
            };
            return (from, all.into_iter().filter(|name| starts(name)).map(|name| quoted(name)).collect());
        }
        let previous = before[..from].split_whitespace().next_back().unwrap_or_default().to_ascii_uppercase();
        let tables = self.columns.keys().filter(|name| starts(name)).cloned();
        if ["FROM", "JOIN", "DESCRIBE", "\\D"].contains(&previous.as_str()) {
            return (from, tables.collect());
        }
        if word.is_empty() {
            return (from, Vec::new());
        }
        // Columns of tables that the statement names come before all others.
        let named = |table: &&String| line.split(|letter| !is_word(letter)).any(|word| word == **table);
        let near = self.columns.iter().filter(|(table, _)| named(table)).flat_map(|(_, columns)| columns);
        let mut near: Vec<&String> = near.collect();
        if near.is_empty() {
            near = self.columns.values().flatten().collect();
        }
        let columns: BTreeSet<String> = near.into_iter().filter(|name| starts(name)).map(|name| quoted(name)).collect();
        let keywords = KEYWORDS.iter().filter(|keyword| starts(keyword)).map(|keyword| match word {
            word if word.chars().all(char::is_lowercase) => keyword.to_ascii_lowercase(),
            _ => (*keyword).to_owned(),
        });
        let functions = self.functions.iter().filter(|name| starts(name)).map(|name| format!("{name}("));
        let mut found: Vec<String> = Vec::new();
        for name in columns.into_iter().chain(tables).chain(keywords).chain(functions) {
            if !found.contains(&name) {
                found.push(name);
            }
        }
        found.truncate(OFFERED);
        (from, found)
    }
}

/// Returns a name as it is written in SQL.
fn quoted(name: &str) -> String {
    let plain = name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_');
    let reserved = KEYWORDS.iter().any(|keyword| keyword.eq_ignore_ascii_case(name));
    if plain && !reserved { name.to_owned() } else { format!("\"{name}\"") }
}

impl Completer for Names {
    type Candidate = Pair;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<Pair>)> {
        let (from, found) = self.candidates(line, at);
        Ok((from, found.into_iter().map(|name| Pair { display: name.clone(), replacement: name }).collect()))
    }
}

impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let input = context.input();
        let done = super::command(input).is_some() || is_complete(input);
        Ok(if done { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

impl Hinter for Names {
    type Hint = String;
}

impl Highlighter for Names {}

impl Helper for Names {}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let columns = BTreeMap::from([
            ("flows".to_owned(), vec!["srcaddr".to_owned(), "start".to_owned(), "end".to_owned()]),
            ("pairs".to_owned(), vec!["host".to_owned(), "starts".to_owned()]),
        ]);
        Names { columns, functions: vec!["sum".to_owned(), "human_bytes".to_owned()], commands: &["\\d", "\\df"] }
    }

    #[test]
    fn what_is_offered_fits_the_place() {
        for (line, expected) in [
            ("SELECT st", (7, vec!["start", "starts"])),
            ("SELECT * FROM ", (14, vec!["flows", "pairs"])),
            ("SELECT * FROM p", (14, vec!["pairs"])),
            ("SELECT flows.s", (13, vec!["srcaddr", "start"])),
            ("SELECT flows.e", (13, vec!["\"end\""])),
            ("sel", (0, vec!["select"])),
            ("SELECT hum", (7, vec!["human_bytes("])),
            ("\\d", (0, vec!["\\d", "\\df"])),
            ("\\d fl", (3, vec!["flows"])),
            ("", (0, vec![])),
        ] {
            let (from, found) = names().candidates(line, line.len());
            assert_eq!((from, found.iter().map(String::as_str).collect()), expected, "{line}");
        }
        let (_, near) = names().candidates("SELECT st FROM flows", 9);
        assert_eq!(near, ["start"], "columns of the tables that are named");
    }
}
