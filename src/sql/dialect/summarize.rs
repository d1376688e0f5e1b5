//! `SUMMARIZE flows`: one row for each column of a table or query, as in DuckDB.

use super::adapt;
use crate::sql::tokens::Tokens;
use crate::sql::type_name;
use arrow::datatypes::DataType;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SessionState;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::Token;

/// Returns the query that answers a SUMMARIZE; `None` for other statements.
///
/// # Errors
/// [`DataFusionError`] for a mistake in the table or query that is summarized, with its place in `sql`.
pub async fn summarized(state: &SessionState, sql: &str) -> Result<Option<String>> {
    let Some(inner) = subject(sql) else { return Ok(None) };
    let mut statement = state.sql_to_statement(&inner, &state.config().options().sql_parser.dialect)?;
    adapt(&mut statement, &inner);
    let plan = state.statement_to_plan(statement).await?;
    let kinds: Vec<DataType> = plan.schema().fields().iter().map(|field| field.data_type().clone()).collect();
    if kinds.is_empty() {
        return Err(DataFusionError::Plan("SUMMARIZE takes a table or a query".to_owned()));
    }
    let names: Vec<String> = plan.schema().fields().iter().map(|field| super::head(field.name()).to_owned()).collect();
    Ok(Some(of_columns(&inner, &names, &kinds)))
}

/// Returns what a SUMMARIZE is about as a query whose words have their places in `sql`.
fn subject(sql: &str) -> Option<String> {
    let tokens = Tokens::of(sql).tokens;
    let mut words = tokens.iter().filter(|(token, _)| !matches!(token, Token::Whitespace(_)));
    let (first, place) = words.next()?;
    match first {
        Token::Word(word) if word.quote_style.is_none() && word.value.eq_ignore_ascii_case("summarize") => {}
        _ => return None,
    }
    let (second, _) = words.next()?;
    let is_query = match second {
        Token::LParen => true,
        Token::Word(word) => matches!(word.keyword, Keyword::SELECT | Keyword::WITH | Keyword::FROM | Keyword::VALUES),
        _ => false,
    };
    let before = if is_query { "" } else { "FROM" };
    Some(format!("{}{before:>width$}{}", &sql[..place.start], &sql[place.end..], width = place.len()))
}

/// Returns the query over the columns of `inner`: one pass, whose values become rows.
fn of_columns(inner: &str, names: &[String], kinds: &[DataType]) -> String {
    let columns: Vec<String> = (1..=names.len()).map(|place| format!("c{place}")).collect();
    let list = |of: &dyn Fn(&str, &DataType) -> String, name: &str| {
        let each: Vec<String> = columns.iter().zip(kinds).map(|(column, kind)| of(column, kind)).collect();
        format!("unnest([{}]) AS {name}", each.join(", "))
    };
    let texts = |texts: Vec<String>, name: &str| {
        let each: Vec<String> = texts.iter().map(|text| format!("'{}'", text.replace('\'', "''"))).collect();
        format!("unnest([{}]) AS {name}", each.join(", "))
    };
    let is_plain = |kind: &DataType| !kind.is_nested() && !matches!(kind, DataType::Null);
    let of_plain = |call: &'static str| {
        move |column: &str, kind: &DataType| match is_plain(kind) {
            true => format!("CAST({call}({column}) AS TEXT)"),
            false => "CAST(NULL AS TEXT)".to_owned(),
        }
    };
    let of_number = |before: &'static str, after: &'static str| {
        move |column: &str, kind: &DataType| match kind.is_numeric() {
            true => format!("{before}(CAST({column} AS DOUBLE){after})"),
            false => "CAST(NULL AS DOUBLE)".to_owned(),
        }
    };
    // The engine counts different texts, not different values of every type.
    let distinct = |column: &str, kind: &DataType| match is_plain(kind) {
        true => format!("CAST(approx_distinct(CAST({column} AS TEXT)) AS BIGINT)"),
        false => "CAST(NULL AS BIGINT)".to_owned(),
    };
    let nulls = |column: &str, _: &DataType| {
        format!("round(100.0 * count(*) FILTER (WHERE {column} IS NULL) / nullif(count(*), 0), 2)")
    };
    let rows = |_: &str, _: &DataType| "count(*)".to_owned();
    let lists = [
        texts(names.to_vec(), "column_name"),
        texts(kinds.iter().map(type_name).collect(), "column_type"),
        list(&of_plain("min"), "min"),
        list(&of_plain("max"), "max"),
        list(&distinct, "approx_unique"),
        list(&of_number("avg", ""), "avg"),
        list(&of_number("stddev", ""), "std"),
        list(&of_number("approx_percentile_cont", ", 0.25"), "q25"),
        list(&of_number("approx_percentile_cont", ", 0.5"), "q50"),
        list(&of_number("approx_percentile_cont", ", 0.75"), "q75"),
        list(&rows, "count"),
        list(&nulls, "null_percentage"),
    ];
    format!("SELECT {} FROM ({inner}\n) AS summarized({})", lists.join(", "), columns.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_summarized_keeps_its_place() {
        for (sql, expected) in [
            ("SUMMARIZE flows", Some("     FROM flows")),
            ("-- a\n summarize\n(SELECT 1)", Some("-- a\n          \n(SELECT 1)")),
            ("SUMMARIZE 'x.csv'", Some("     FROM 'x.csv'")),
            ("SUMMARIZE", None),
            ("SELECT summarize FROM t", None),
        ] {
            assert_eq!(subject(sql).as_deref(), expected, "{sql}");
        }
    }
}
