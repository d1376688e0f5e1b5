//! The tokens of SQL, as the engine's own tokenizer reads them.
//!
//! Comments, quotes and `$` mean the same wherever SQL comes from: a detection, a script of `flowsift sql`, or a client
//! on the wire. All code that splits SQL or replaces a part of it works on these tokens, read in the dialect that
//! sessions parse.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};
use std::ops::Range;

/// The tokens of a text, in order.
#[derive(Debug)]
pub(super) struct Tokens {
    /// Each token with its byte range; every token begins where the previous one ends.
    pub(super) tokens: Vec<(Token, Range<usize>)>,
    /// How the text ended after the last token.
    pub(super) end: End,
}

/// How the tokens of a text end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// At the end of the text.
    Whole,
    /// Inside a string, a quoted name or a comment that more text may close.
    Open,
    /// At something that is not a token.
    Invalid,
}

impl Tokens {
    /// Reads the tokens of `sql`, up to the first that cannot be read.
    pub(super) fn of(sql: &str) -> Self {
        let mut found: Vec<TokenWithSpan> = Vec::new();
        let read = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location_into_buf(&mut found);
        let end = match read {
            Ok(()) => End::Whole,
            Err(error) if error.message.starts_with("Unterminated") || error.message.contains("EOF") => End::Open,
            Err(_) => End::Invalid,
        };
        let mut tokens = Vec::with_capacity(found.len());
        let mut letters = sql.chars();
        let (mut line, mut column, mut from) = (1, 1, 0);
        for TokenWithSpan { token, span } in found {
            // The tokenizer reports lines and columns; both are walked again to find the bytes.
            while (line, column) < (span.end.line, span.end.column) {
                match letters.next() {
                    Some('\n') => (line, column) = (line + 1, 1),
                    Some(_) => column += 1,
                    None => break,
                }
            }
            let to = sql.len() - letters.as_str().len();
            tokens.push((token, from..to));
            from = to;
        }
        Self { tokens, end }
    }
}

/// Returns the first word of a statement, in capitals; `None` when it begins with anything but a word. Leading
/// whitespace and comments do not count.
pub fn first_word(sql: &str) -> Option<String> {
    let tokens = Tokens::of(sql).tokens.into_iter().map(|(token, _)| token);
    match tokens.into_iter().find(|token| !matches!(token, Token::Whitespace(_)))? {
        Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_ascii_uppercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_have_their_bytes() {
        let sql = "SELECT 'é;',\r\n \"a\"\"b\" -- ü\n/* x /* y\n */ */ FROM t$1; $n";
        let Tokens { tokens, end } = Tokens::of(sql);
        assert_eq!(end, End::Whole);
        let shown: Vec<&str> = tokens
            .iter()
            .filter(|(token, _)| !matches!(token, Token::Whitespace(_)))
            .map(|t| &sql[t.1.clone()])
            .collect();
        assert_eq!(shown, ["SELECT", "'é;'", ",", "\"a\"\"b\"", "FROM", "t$1", ";", "$n"]);
        assert_eq!(tokens.iter().map(|(_, bytes)| &sql[bytes.clone()]).collect::<String>(), sql);
    }

    /// The tokenizer's messages distinguish unclosed text from invalid text: this fails when they change.
    #[test]
    fn what_more_text_may_close_is_open() {
        for sql in
            ["SELECT 'a", "SELECT \"a", "SELECT `a", "/* a /* b */", "SELECT $$a", "SELECT $x$a$$", "SELECT E'a\\'"]
        {
            assert_eq!(Tokens::of(sql).end, End::Open, "{sql}");
        }
        for sql in ["", "SELECT", "-- 'a", "SELECT ('a'", "$n $1 $$'$$"] {
            assert_eq!(Tokens::of(sql).end, End::Whole, "{sql}");
        }
    }

    #[test]
    fn the_first_word_is_behind_space_and_comments() {
        for (sql, expected) in [
            (" select 1", Some("SELECT")),
            ("/* a /* b */ */\n-- c\nSet x = 'open", Some("SET")),
            ("(SELECT 1)", None),
            ("\"set\" x", None),
            ("-- nothing", None),
        ] {
            assert_eq!(first_word(sql).as_deref(), expected, "{sql}");
        }
    }
}
