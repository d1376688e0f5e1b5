//! Binding of named parameters: `$name` in SQL becomes a literal, never text that could be parsed as SQL.

use super::SqlError;
use super::tokens::Tokens;
use datafusion::sql::sqlparser::tokenizer::Token;
use std::collections::BTreeMap;

/// A value for a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Literal {
    /// A whole number.
    Integer(i64),
    /// A number with a fraction.
    Float(f64),
    /// A boolean.
    Boolean(bool),
    /// Text.
    Text(String),
    /// A time in Unix seconds.
    Time(i64),
}

impl Literal {
    /// Reads a literal as a header or a user writes it: numbers and `true`/`false` as such, everything else as text.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        if let Ok(number) = text.parse::<i64>() {
            return Literal::Integer(number);
        }
        if let Some(number) = text.parse::<f64>().ok().filter(|number| number.is_finite()) {
            return Literal::Float(number);
        }
        match text {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            _ => Literal::Text(text.trim_matches('\'').to_owned()),
        }
    }

    fn to_sql(&self) -> String {
        match self {
            // In parentheses, so that a minus before a negative number does not begin a comment.
            Literal::Integer(number) => format!("({number})"),
            Literal::Float(number) => format!("CAST({number:e} AS DOUBLE)"),
            Literal::Boolean(value) => value.to_string(),
            // The type of the tables' times, so that a comparison does not cast the column.
            Literal::Time(second) => format!("arrow_cast({second}, 'Timestamp(Second, Some(\"UTC\"))')"),
            Literal::Text(text) => format!("'{}'", text.replace('\'', "''")),
        }
    }
}

/// Replaces every `$name` outside quotes and comments by its literal; `name` is for messages.
///
/// # Errors
/// [`SqlError::Parameter`] when a name has no value.
pub fn bind(name: &str, sql: &str, parameters: &BTreeMap<String, Literal>) -> Result<String, SqlError> {
    let mut out = String::with_capacity(sql.len() + 256);
    let mut copied = 0;
    for (token, bytes) in Tokens::of(sql).tokens {
        let Token::Placeholder(placeholder) = &token else { continue };
        let Some(parameter) = placeholder.strip_prefix('$') else { continue };
        let literal = parameters.get(parameter).ok_or_else(|| SqlError::Parameter {
            name: name.to_owned(),
            parameter: parameter.to_owned(),
            known: parameters.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        out.push_str(&sql[copied..bytes.start]);
        out.push_str(&literal.to_sql());
        copied = bytes.end;
    }
    // Nothing is replaced after a token that cannot be read; the parser explains the reason.
    out.push_str(&sql[copied..]);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binds_names_and_nothing_else() {
        let parameters = BTreeMap::from([
            ("n".to_owned(), Literal::Integer(-3)),
            ("who".to_owned(), Literal::Text("o'hara; DROP".to_owned())),
        ]);
        let sql = "SELECT '$n', \"$n\", a-$n -- not $here\n, $who";
        let bound = bind("q", sql, &parameters).unwrap();
        assert_eq!(bound, "SELECT '$n', \"$n\", a-(-3) -- not $here\n, 'o''hara; DROP'");
        assert!(bind("q", "SELECT $missing", &parameters).is_err());
    }

    #[test]
    fn comments_and_quotes_of_every_kind_hold_no_parameters() {
        let parameters = BTreeMap::from([("n".to_owned(), Literal::Integer(3))]);
        for quoted in [
            "/* costs $5 a month */",
            "/* a /* nested $5 */ ' $6 */",
            "-- it's $5\n",
            "E'it\\'s $5'",
            "$$ $n $$",
            "$tag$ $5 $$ $tag$",
            "`$5`",
            "a$n",
        ] {
            let bound = bind("q", &format!("SELECT {quoted}, $n"), &parameters).unwrap();
            assert_eq!(bound, format!("SELECT {quoted}, (3)"));
        }
        assert_eq!(bind("q", "SELECT $n, 'open $n", &parameters).unwrap(), "SELECT (3), 'open $n");
    }

    #[test]
    fn reads_literals() {
        assert_eq!(Literal::parse(" 12 "), Literal::Integer(12));
        assert_eq!(Literal::parse("0.05"), Literal::Float(0.05));
        assert_eq!(Literal::parse("'text'"), Literal::Text("text".to_owned()));
    }
}
