//! Splits a script into statements.

use crate::sql::tokens::{End, Tokens};
use datafusion::sql::sqlparser::tokenizer::Token;

/// One statement of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The SQL, without the `;`.
    pub sql: String,
    /// The line of the script where it begins, from 1.
    pub line: usize,
    /// The byte offset in the script where it begins.
    pub at: usize,
}

/// Splits a script into statements at each `;` outside strings, quoted names and comments; empty statements are
/// dropped.
pub fn statements(script: &str) -> Vec<Statement> {
    let Tokens { tokens, end } = Tokens::of(script);
    let mut found = Vec::new();
    let mut from = 0;
    let mut is_empty = true;
    let mut add = |from: usize, to: usize| {
        let sql = &script[from..to];
        let at = from + (sql.len() - sql.trim_start().len());
        let line = 1 + script[..at].matches('\n').count();
        found.push(Statement { sql: sql.trim().to_owned(), line, at });
    };
    for (token, bytes) in tokens {
        match token {
            Token::SemiColon => {
                if !is_empty {
                    add(from, bytes.start);
                }
                from = bytes.end;
                is_empty = true;
            }
            Token::Whitespace(_) => {}
            _ => is_empty = false,
        }
    }
    // Where a token cannot be read, the parser explains the reason.
    if !is_empty || end != End::Whole {
        add(from, script.len());
    }
    found
}

/// Returns whether a script ends with a complete statement: only whitespace and comments follow its last `;`.
pub fn is_complete(script: &str) -> bool {
    let Tokens { tokens, end } = Tokens::of(script);
    let last = tokens.iter().rev().find(|(token, _)| !matches!(token, Token::Whitespace(_)));
    match end {
        End::Whole => last.is_none_or(|(token, _)| *token == Token::SemiColon),
        End::Open => false,
        // Further lines cannot complete it.
        End::Invalid => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_end_where_no_text_or_comment_holds_the_mark() {
        let script = "SELECT ';' AS \"a;b\"; -- one; two\n/* ; /* ; */ ; */\n\nSELECT 'it''s;'\n; ;--\n";
        let found = statements(script);
        assert!(found.iter().all(|s| script[s.at..].starts_with(&s.sql)), "{found:?}");
        let shown: Vec<_> = found.iter().map(|s| (s.sql.as_str(), s.line)).collect();
        assert_eq!(shown.len(), 2);
        assert_eq!(shown[0], ("SELECT ';' AS \"a;b\"", 1));
        assert!(shown[1].0.ends_with("SELECT 'it''s;'"), "{shown:?}");
        assert!(statements(" -- nothing\n").is_empty());
    }

    #[test]
    fn dollars_and_backslashes_quote_as_they_do_in_postgres() {
        let script = "SELECT $$;$$, $q$ ; $$ $q$, $1; SELECT E'it\\'s;', `a;b`; SELECT 'open;";
        let found: Vec<_> = statements(script).into_iter().map(|statement| statement.sql).collect();
        assert_eq!(found, ["SELECT $$;$$, $q$ ; $$ $q$, $1", "SELECT E'it\\'s;', `a;b`", "SELECT 'open;"]);
    }

    #[test]
    fn a_script_is_complete_behind_its_last_mark() {
        for (script, complete) in [
            ("SELECT 1;", true),
            ("SELECT 1; -- done", true),
            ("SELECT 1", false),
            ("SELECT ';", false),
            ("SELECT $$;", false),
            ("SELECT 1; SELECT", false),
            ("/* ;", false),
            ("", true),
        ] {
            assert_eq!(is_complete(script), complete, "{script}");
        }
    }
}
