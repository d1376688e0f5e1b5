//! Statements about the session rather than the data: settings, transactions, cursors.
//!
//! Clients send them whether or not they have an effect: a read-only server has no real transactions, but a driver that
//! begins one must see it begin and end.

use crate::serve::protocol::pg_error::{self, PgError};
use crate::sql::first_word;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

/// The target of a command that can apply to one or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Target {
    /// All of them.
    All,
    /// The one of this name.
    Named(String),
}

/// A statement about the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::serve) enum Command {
    /// Sets a setting; `None` is its default.
    Set(String, Option<String>),
    /// Shows a setting, or all.
    Show(Target),
    /// Resets settings.
    Reset(Target),
    /// Begins a transaction.
    Begin,
    /// Commits a transaction.
    Commit,
    /// Rolls a transaction back.
    Rollback,
    /// Deallocates prepared statements.
    Deallocate(Target),
    /// Discards all state of the session.
    Discard,
    /// Opens a cursor over a query.
    Declare(String, String),
    /// Fetches so many rows of a cursor, or all; `true` discards them.
    Fetch(String, Option<usize>, bool),
    /// Closes a cursor.
    Close(Target),
    /// Does nothing, and reports completion.
    Nothing(&'static str),
}

/// First words that make a statement a command.
const FIRST: &[&str] = &[
    "ABORT",
    "BEGIN",
    "CLOSE",
    "COMMIT",
    "DEALLOCATE",
    "DECLARE",
    "DISCARD",
    "END",
    "FETCH",
    "LISTEN",
    "MOVE",
    "RELEASE",
    "RESET",
    "ROLLBACK",
    "SAVEPOINT",
    "SET",
    "SHOW",
    "START",
    "UNLISTEN",
];

impl Command {
    /// Reads a command; `None` when the statement is not one.
    ///
    /// # Errors
    /// When it begins like a command but continues differently.
    pub(in crate::serve) fn read(sql: &str) -> Result<Option<Self>, PgError> {
        let Some(first) = first_word(sql).filter(|first| FIRST.contains(&first.as_str())) else { return Ok(None) };
        let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else { return Ok(None) };
        let tokens: Vec<Token> = tokens
            .into_iter()
            .filter(|token| !matches!(token, Token::Whitespace(_) | Token::SemiColon))
            .skip(1)
            .collect();
        let words: Vec<String> = tokens.iter().map(text).collect();
        let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
        let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
        let wrong = || pg_error::error("42601", format!("syntax error in {first}"));
        let one = |from: usize| words.get(from).cloned().ok_or_else(wrong);
        let which = |from: usize| match upper.get(from) {
            None => Err(wrong()),
            Some(&"ALL") => Ok(Target::All),
            Some(_) => one(from).map(Target::Named),
        };
        let command = match (first.as_str(), upper.as_slice()) {
            ("BEGIN" | "START", _) => Command::Begin,
            ("COMMIT" | "END", _) => Command::Commit,
            ("ROLLBACK", ["TO", ..] | ["WORK" | "TRANSACTION", "TO", ..]) => Command::Nothing("ROLLBACK"),
            ("ROLLBACK" | "ABORT", _) => Command::Rollback,
            ("SAVEPOINT", _) => Command::Nothing("SAVEPOINT"),
            ("RELEASE", _) => Command::Nothing("RELEASE"),
            ("UNLISTEN", _) => Command::Nothing("UNLISTEN"),
            ("LISTEN", _) => return Err(pg_error::unsupported("LISTEN")),
            ("DISCARD", _) => Command::Discard,
            ("DEALLOCATE", ["PREPARE", ..]) => Command::Deallocate(which(1)?),
            ("DEALLOCATE", _) => Command::Deallocate(which(0)?),
            ("CLOSE", _) => Command::Close(which(0)?),
            ("RESET", ["SESSION", "AUTHORIZATION"] | ["ROLE"]) => Command::Nothing("RESET"),
            ("RESET", _) => Command::Reset(setting(&upper, &words).ok_or_else(wrong)?),
            // The engine executes these itself.
            ("SHOW", ["TABLES" | "COLUMNS" | "FUNCTIONS" | "CREATE" | "FULL" | "EXTENDED", ..]) => return Ok(None),
            ("SHOW", _) => Command::Show(setting(&upper, &words).ok_or_else(wrong)?),
            ("SET", _) => set(&upper, &words).ok_or_else(wrong)?,
            ("DECLARE", _) => {
                let place = upper.iter().position(|word| *word == "FOR").ok_or_else(wrong)?;
                let at = find_word(sql, "FOR").filter(|_| place > 0).ok_or_else(wrong)?;
                Command::Declare(one(0)?, sql[at + 3..].trim().to_owned())
            }
            ("FETCH" | "MOVE", _) => fetch(&upper, &words, first == "MOVE")?.ok_or_else(wrong)?,
            _ => return Ok(None),
        };
        Ok(Some(command))
    }

    /// Returns the columns of what the command shows.
    pub(in crate::serve) fn schema(&self) -> Schema {
        let names: Vec<&str> = match self {
            Command::Show(Target::All) => vec!["name", "setting", "description"],
            Command::Show(Target::Named(name)) => vec![name],
            _ => Vec::new(),
        };
        Schema::new(names.into_iter().map(|name| Field::new(name, DataType::Utf8, true)).collect::<Vec<_>>())
    }

    /// Returns whether the command ends a transaction, the only kind that is executed after an error.
    pub(in crate::serve) fn ends_transaction(&self) -> bool {
        matches!(self, Command::Commit | Command::Rollback | Command::Nothing("ROLLBACK"))
    }
}

fn text(token: &Token) -> String {
    match token {
        Token::Word(word) => word.value.clone(),
        Token::SingleQuotedString(text) | Token::DoubleQuotedString(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the setting named, under its canonical name.
fn setting(upper: &[&str], words: &[String]) -> Option<Target> {
    Some(match upper {
        [] => return None,
        ["ALL"] => Target::All,
        ["TIME", "ZONE"] => Target::Named("timezone".to_owned()),
        ["TRANSACTION", "ISOLATION", "LEVEL"] => Target::Named("transaction_isolation".to_owned()),
        ["SESSION", "AUTHORIZATION"] => Target::Named("session_authorization".to_owned()),
        _ => Target::Named(words.concat().to_ascii_lowercase()),
    })
}

/// Parses the rest of SET.
fn set(upper: &[&str], words: &[String]) -> Option<Command> {
    let from = match upper {
        ["SESSION", "AUTHORIZATION" | "CHARACTERISTICS", ..] => return Some(Command::Nothing("SET")),
        ["SESSION" | "LOCAL", ..] => 1,
        _ => 0,
    };
    let (upper, words) = (&upper[from..], &words[from..]);
    let value = |from: usize| {
        let value = words.get(from..)?.join(" ").replace(" , ", ", ");
        if value.is_empty() { None } else { Some(Some(value).filter(|value| !value.eq_ignore_ascii_case("default"))) }
    };
    match upper {
        ["TRANSACTION", ..] | ["ROLE", ..] | ["CONSTRAINTS", ..] | ["AUTHORIZATION", ..] => {
            Some(Command::Nothing("SET"))
        }
        ["TIME", "ZONE", ..] => Some(Command::Set("timezone".to_owned(), value(2)?)),
        ["NAMES", ..] => Some(Command::Set("client_encoding".to_owned(), value(1)?)),
        _ => {
            let at = upper.iter().position(|word| matches!(*word, "TO" | "="))?;
            (at > 0).then_some(())?;
            Some(Command::Set(words[..at].concat().to_ascii_lowercase(), value(at + 1)?))
        }
    }
}

/// Parses the rest of FETCH or MOVE: `[[FORWARD] n | ALL | NEXT] [FROM | IN] cursor`.
fn fetch(upper: &[&str], words: &[String], moves: bool) -> Result<Option<Command>, PgError> {
    if matches!(upper, ["BACKWARD" | "PRIOR" | "FIRST" | "LAST" | "ABSOLUTE" | "RELATIVE" | "-", ..]) {
        return Err(pg_error::error("55000", "cursor can only scan forward"));
    }
    let Some(name) = words.last().cloned() else { return Ok(None) };
    let before: Vec<&str> =
        upper[..upper.len() - 1].iter().copied().filter(|word| !matches!(*word, "FORWARD" | "FROM" | "IN")).collect();
    let count = match before.as_slice() {
        [] | ["NEXT"] => Some(1),
        ["ALL"] => None,
        [count] => match count.parse() {
            Ok(count) => Some(count),
            Err(_) => return Ok(None),
        },
        _ => return Ok(None),
    };
    Ok(Some(Command::Fetch(name, count, moves)))
}

/// Returns the position of a word that stands alone.
fn find_word(sql: &str, word: &str) -> Option<usize> {
    let upper = sql.to_ascii_uppercase();
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    upper
        .match_indices(word)
        .map(|(at, _)| at)
        .find(|at| !upper[..*at].ends_with(is_word) && !upper[at + word.len()..].starts_with(is_word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Target {
        Target::Named(name.to_owned())
    }

    #[test]
    fn commands_are_read_as_clients_write_them() {
        let set = |name: &str, value: &str| Command::Set(name.to_owned(), Some(value.to_owned()));
        for (sql, expected) in [
            ("SET client_encoding TO 'UTF8'", set("client_encoding", "UTF8")),
            ("set extra_float_digits = 3;", set("extra_float_digits", "3")),
            ("SET SESSION application_name = 'my app'", set("application_name", "my app")),
            ("SET search_path TO public, pg_catalog", set("search_path", "public, pg_catalog")),
            ("SET NAMES 'utf8'", set("client_encoding", "utf8")),
            ("SET TIME ZONE 'UTC'", set("timezone", "UTC")),
            ("SET datafusion.execution.batch_size = 1", set("datafusion.execution.batch_size", "1")),
            ("SET statement_timeout TO DEFAULT", Command::Set("statement_timeout".to_owned(), None)),
            ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", Command::Nothing("SET")),
            ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", Command::Nothing("SET")),
            ("SHOW server_version_num", Command::Show(named("server_version_num"))),
            ("SHOW TRANSACTION ISOLATION LEVEL", Command::Show(named("transaction_isolation"))),
            ("SHOW all", Command::Show(Target::All)),
            ("RESET ALL", Command::Reset(Target::All)),
            ("BEGIN READ ONLY", Command::Begin),
            ("-- a comment\nSTART TRANSACTION", Command::Begin),
            ("/* x */ COMMIT", Command::Commit),
            ("ROLLBACK TO SAVEPOINT a", Command::Nothing("ROLLBACK")),
            ("ABORT", Command::Rollback),
            ("DISCARD ALL", Command::Discard),
            ("DEALLOCATE PREPARE x", Command::Deallocate(named("x"))),
            ("CLOSE ALL", Command::Close(Target::All)),
            ("UNLISTEN *", Command::Nothing("UNLISTEN")),
            (
                "DECLARE \"c 1\" CURSOR WITHOUT HOLD FOR SELECT 'for'",
                Command::Declare("c 1".to_owned(), "SELECT 'for'".to_owned()),
            ),
            ("FETCH FORWARD 100 FROM \"c 1\"", Command::Fetch("c 1".to_owned(), Some(100), false)),
            ("MOVE ALL IN c", Command::Fetch("c".to_owned(), None, true)),
        ] {
            assert_eq!(Command::read(sql).unwrap(), Some(expected), "{sql}");
        }
        for sql in ["SELECT 1", "SHOW TABLES", "WITH a AS (SELECT 1) SELECT * FROM a", "", "EXPLAIN SELECT 1"] {
            assert_eq!(Command::read(sql).unwrap(), None, "{sql}");
        }
        for sql in ["SET", "SET x", "FETCH BACKWARD 1 FROM c", "CLOSE", "DECLARE c CURSOR"] {
            assert!(Command::read(sql).is_err(), "{sql}");
        }
    }
}
