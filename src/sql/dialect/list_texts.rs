//! The items of a SELECT list as they are written.

use datafusion::sql::sqlparser::ast::{Distinct, Select};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

/// A statement's text and tokens, in which its SELECT lists are found.
pub(super) struct ListTexts<'a> {
    sql: &'a str,
    tokens: Vec<TokenWithSpan>,
}

impl<'a> ListTexts<'a> {
    /// Reads the tokens of a statement.
    pub(super) fn of(sql: &'a str) -> Self {
        // A text that cannot be read has no statement.
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().unwrap_or_default();
        Self { sql, tokens }
    }

    /// Returns the texts of a list's items as written, on one line each and without comments; `None` where they cannot
    /// be told apart.
    pub(super) fn items(&self, select: &Select) -> Option<Vec<String>> {
        let begin = select.select_token.0.span.start;
        let first = self.tokens.iter().position(|token| token.span.start == begin)?;
        let mut texts = vec![String::new()];
        let (mut depth, mut before) = (0_usize, Token::EOF);
        let mut tokens = self.tokens[first + 1..].iter().peekable();
        let mut byte = Bytes { sql: self.sql, at: 0, line: 1, column: 1 };
        while let Some(TokenWithSpan { token, span }) = tokens.next() {
            if let Token::Whitespace(_) = token {
                let text = texts.last_mut()?;
                if !text.is_empty() && !text.ends_with(' ') {
                    text.push(' ');
                }
                continue;
            }
            let next = tokens.clone().map(|token| &token.token).find(|token| !matches!(token, Token::Whitespace(_)));
            match token {
                Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
                Token::RParen | Token::RBracket | Token::RBrace => match depth.checked_sub(1) {
                    Some(less) => depth = less,
                    None => break,
                },
                Token::SemiColon | Token::EOF => break,
                Token::Comma if depth == 0 => {
                    texts.push(String::new());
                    before = Token::Comma;
                    continue;
                }
                Token::Word(_) if depth == 0 && ends_list(token, &before, next) => break,
                _ => {}
            }
            let (from, to) = (byte.of(span.start), byte.of(span.end));
            texts.last_mut()?.push_str(self.sql.get(from..to)?);
            before = token.clone();
        }
        let mut texts: Vec<String> = texts.iter().map(|text| text.trim().to_owned()).collect();
        // A comma may stand behind the last item.
        if texts.last().is_some_and(String::is_empty) {
            texts.pop();
        }
        match (&select.distinct, texts.first_mut()) {
            (Some(Distinct::On(_)), _) => return None,
            (Some(_), Some(text)) => *text = text.split_once(' ')?.1.to_owned(),
            _ => {}
        }
        (texts.len() == select.projection.len()).then_some(texts)
    }
}

/// Finds the bytes of ascending places in a text.
struct Bytes<'a> {
    sql: &'a str,
    at: usize,
    line: u64,
    column: u64,
}

impl Bytes<'_> {
    fn of(&mut self, place: Location) -> usize {
        for letter in self.sql[self.at..].chars() {
            if (self.line, self.column) >= (place.line, place.column) {
                break;
            }
            (self.line, self.column) = if letter == '\n' { (self.line + 1, 1) } else { (self.line, self.column + 1) };
            self.at += letter.len_utf8();
        }
        self.at
    }
}

/// Returns whether a keyword ends a SELECT list, given the tokens around it.
fn ends_list(token: &Token, before: &Token, next: Option<&Token>) -> bool {
    let keyword_of = |token: &Token| match token {
        Token::Word(word) if word.quote_style.is_none() => word.keyword,
        _ => Keyword::NoKeyword,
    };
    match keyword_of(token) {
        // `a IS DISTINCT FROM b`
        Keyword::FROM => keyword_of(before) != Keyword::DISTINCT,
        // `… WITHIN GROUP (ORDER BY …)`
        Keyword::GROUP => keyword_of(before) != Keyword::WITHIN,
        // `window(start, '5 minutes')`, `* EXCEPT (end)`
        Keyword::WINDOW => next != Some(&Token::LParen),
        Keyword::EXCEPT => *before != Token::Mul,
        Keyword::WHERE
        | Keyword::HAVING
        | Keyword::QUALIFY
        | Keyword::ORDER
        | Keyword::LIMIT
        | Keyword::OFFSET
        | Keyword::FETCH
        | Keyword::INTO
        | Keyword::UNION
        | Keyword::INTERSECT => true,
        _ => false,
    }
}
