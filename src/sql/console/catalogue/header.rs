//! Headers of the catalogue's files: comment lines at the top.
//!
//! `-- question: …?`, `-- origin: …` where the question comes from somebody else, `-- cost: …`, one `-- parameter NAME
//! TYPE [= DEFAULT]: meaning` for each `$NAME` in the SQL, and one `-- column NAME: meaning` for each column. A
//! parameter without a default must be given.

use super::error::CatalogueError;
use super::parameter::{ParameterType, QueryParameter};
use super::query::{Query, QueryColumn};

/// Reads a file of the catalogue.
///
/// # Errors
/// [`CatalogueError::Header`] with the line.
pub(super) fn parse(name: &str, sql: &str) -> Result<Query, CatalogueError> {
    let mut query = Query {
        name: name.to_owned(),
        question: String::new(),
        origin: String::new(),
        cost: String::new(),
        parameters: Vec::new(),
        columns: Vec::new(),
        sql: sql.to_owned(),
    };
    for (at, line) in sql.lines().enumerate() {
        let Some(comment) = line.strip_prefix("--") else { break };
        let wrong = |problem: String| CatalogueError::Header { name: name.to_owned(), line: at + 1, problem };
        let comment = comment.trim();
        let Some((key, value)) = comment.split_once(':').map(|(key, value)| (key.trim(), value.trim())) else {
            return Err(wrong("expected `-- key: value`".to_owned()));
        };
        if let Some(declared) = comment.strip_prefix("parameter ") {
            // A default may contain colons, as times and networks do, but no space after one.
            let (declared, about) = declared.split_once(": ").unwrap_or((declared, ""));
            query.parameters.push(parameter(declared, about.trim()).map_err(wrong)?);
            continue;
        }
        if let Some(column) = key.strip_prefix("column ") {
            query.columns.push(QueryColumn { name: column.trim().to_owned(), about: value.to_owned() });
            continue;
        }
        match key {
            "question" => query.question = value.to_owned(),
            "origin" => query.origin = value.to_owned(),
            "cost" => query.cost = value.to_owned(),
            _ => {
                let known = "question, origin, cost, parameter and column";
                return Err(wrong(format!("unknown key `{key}`; known are {known}")));
            }
        }
    }
    if query.question.is_empty() {
        let problem = "the header has no `-- question: …`".to_owned();
        return Err(CatalogueError::Header { name: name.to_owned(), line: 1, problem });
    }
    Ok(query)
}

fn parameter(declared: &str, about: &str) -> Result<QueryParameter, String> {
    let (declared, default) = match declared.split_once('=') {
        Some((declared, default)) => (declared, Some(default.trim().to_owned())),
        None => (declared, None),
    };
    let mut words = declared.split_whitespace();
    let (Some(name), Some(kind), None) = (words.next(), words.next(), words.next()) else {
        return Err("expected `-- parameter NAME TYPE = DEFAULT: meaning`".to_owned());
    };
    let kind = ParameterType::parse(kind)
        .ok_or_else(|| format!("unknown type `{kind}`; known are {}", ParameterType::NAMES.join(", ")))?;
    Ok(QueryParameter { name: name.to_owned(), kind, default, about: about.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_where_a_header_is_wrong() {
        for (text, message) in [
            ("SELECT 1", "query q, line 1: the header has no `-- question: …`"),
            (
                "-- question: a?\n-- who: x",
                "query q, line 2: unknown key `who`; known are question, origin, cost, parameter and column",
            ),
            (
                "-- question: a?\n-- parameter n: x",
                "query q, line 2: expected `-- parameter NAME TYPE = DEFAULT: meaning`",
            ),
            ("-- words", "query q, line 1: expected `-- key: value`"),
        ] {
            assert_eq!(parse("q", text).unwrap_err().to_string(), message);
        }
        let query =
            parse("q", "-- question: a: b?\n-- parameter t time = 2024-01-01T00:00:00Z: when\nSELECT $t").unwrap();
        assert_eq!(query.question, "a: b?");
        assert_eq!(query.parameters[0].default.as_deref(), Some("2024-01-01T00:00:00Z"));
        assert_eq!(query.parameters[0].about, "when");
    }
}
