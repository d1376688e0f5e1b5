//! From a client's text to a plan: as the engine's SQL, as at the prompt, or as Postgres's where a client reads
//! `pg_catalog` or uses Postgres-only syntax.

use crate::serve::catalogue::rewrite;
use crate::serve::protocol::pg_error::{self, PgError};
use crate::serve::session::Session;
use crate::serve::statements::commands::Command;
use crate::serve::statements::parameters::{
    Context, Parameter, declare, oid_parameters, parameters, shown_types, with_elements,
};
use crate::sql::{adapt, first_word, summarized};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast;
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};
use flow::units::bytes_text;
use pgwire::api::Type;
use std::collections::HashMap;
use std::sync::Arc;

/// A statement that is ready to run.
#[derive(Clone, Debug)]
pub(in crate::serve) enum Prepared {
    /// Shows or sets something of the session.
    Command(Command),
    /// Returns rows.
    Query(Arc<Query>),
}

/// A planned query.
#[derive(Debug)]
pub(in crate::serve) struct Query {
    /// As the client wrote it.
    pub(in crate::serve) sql: String,
    /// Number of characters before it in what the client sent.
    pub(in crate::serve) before: usize,
    /// Its plan; parameters are not bound yet.
    pub(in crate::serve) plan: LogicalPlan,
    /// Its parameters, `$1` first.
    pub(in crate::serve) parameters: Vec<Parameter>,
    /// The memory of a long statement's plan.
    pub(in crate::serve) _taken: MemoryReservation,
}

/// Plans a statement; `types` are those that the client declared for its parameters.
///
/// # Errors
/// What is wrong, and where.
pub(in crate::serve) async fn prepare(
    session: &Session,
    sql: &str,
    before: usize,
    types: &[Option<Type>],
) -> std::result::Result<Prepared, PgError> {
    if let Some(command) = Command::read(sql)? {
        return Ok(Prepared::Command(command));
    }
    let taken = text_memory(session, sql)?;
    if operators(sql) > MAX_OPERATORS {
        let details = format!("the statement has more than {MAX_OPERATORS} operators and keywords");
        return Err(pg_error::with_hint(pg_error::error("54001", details), "put long lists into IN (…)"));
    }
    let context = session.context().clone();
    let (text, types) = (sql.to_owned(), types.to_vec());
    let planned = session.planned(async move { plan(&context, &text, &types).await }).await?;
    let (plan, parameters) = planned.map_err(|failed| match failed {
        PrepareError::ReadOnly(what) => pg_error::read_only(&what),
        PrepareError::Sql(failed) => session.mistaken(sql, before, &failed),
    })?;
    Ok(Prepared::Query(Arc::new(Query { sql: sql.to_owned(), before, plan, parameters, _taken: taken })))
}

/// Longest statement. Longer ones are lists, which are parameters or files.
const MAX_BYTES: usize = 1 << 20;
/// Statements up to this length are not counted.
const FREE_BYTES: usize = 4 << 10;
/// Bytes that a plan takes for each byte of its statement: 40 to 120 were measured for lists of numbers and texts.
const PLAN_BYTES: usize = 128;

/// Takes the memory that the tokens and the plan of a text will need.
///
/// # Errors
/// When the statement is too long, or the memory is used up.
pub(in crate::serve) fn text_memory(session: &Session, sql: &str) -> std::result::Result<MemoryReservation, PgError> {
    if sql.len() > MAX_BYTES {
        let (bytes, most) = (bytes_text(sql.len() as u64), bytes_text(MAX_BYTES as u64));
        let details = format!("the statement has {bytes}, and {most} are allowed");
        let hint = "send a long list as a parameter: = ANY($1)";
        return Err(pg_error::with_hint(pg_error::error("54000", details), hint));
    }
    let taken = MemoryConsumer::new("the plan of a statement").register(&session.context().runtime_env().memory_pool);
    if sql.len() > FREE_BYTES {
        taken.try_grow(sql.len() * PLAN_BYTES).map_err(|failed| session.mistaken("", 0, &failed))?;
    }
    Ok(taken)
}

/// Maximum number of operators and keywords in a statement. Each may be a level of an expression, and levels are walked
/// by recursion in many places: a stack overflow ends the server for everybody.
const MAX_OPERATORS: usize = 2_500;

/// Counts the tokens that can deepen an expression: everything except names, values, commas, and parentheses, of which
/// the parser accepts few.
fn operators(sql: &str) -> usize {
    let Ok(tokens) = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize() else { return 0 };
    let flat = |token: &&Token| match token {
        Token::Word(word) => word.keyword == Keyword::NoKeyword,
        Token::Whitespace(_)
        | Token::Comma
        | Token::LParen
        | Token::RParen
        | Token::Number(_, _)
        | Token::SingleQuotedString(_) => true,
        _ => false,
    };
    tokens.len() - tokens.iter().filter(flat).count()
}

enum PrepareError {
    /// It would do more than read.
    ReadOnly(String),
    /// It is invalid.
    Sql(DataFusionError),
}

impl From<DataFusionError> for PrepareError {
    fn from(error: DataFusionError) -> Self {
        PrepareError::Sql(error)
    }
}

type Planned = (LogicalPlan, Vec<Parameter>);

async fn plan(
    context: &SessionContext,
    sql: &str,
    types: &[Option<Type>],
) -> std::result::Result<Planned, PrepareError> {
    let state = context.state();
    let asks_catalogue = names_catalogue(sql);
    if asks_catalogue && let Ok(planned) = of_postgres(&state, sql, types).await {
        return Ok(planned);
    }
    let failed = match of_engine(&state, sql, types).await {
        Ok(planned) => return Ok(planned),
        Err(failed @ PrepareError::ReadOnly(_)) => return Err(failed),
        Err(failed) => failed,
    };
    // The engine's message has positions in the original text, so it is the one to report.
    match of_postgres(&state, sql, types).await {
        Ok(planned) => Ok(planned),
        Err(PrepareError::Sql(other)) if asks_catalogue => Err(PrepareError::Sql(other)),
        Err(readonly @ PrepareError::ReadOnly(_)) => Err(readonly),
        Err(_) => Err(failed),
    }
}

/// Returns whether a statement uses anything that only Postgres has.
fn names_catalogue(sql: &str) -> bool {
    let lower = sql.to_ascii_lowercase();
    lower.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| {
        word.starts_with("pg_")
            || word == "information_schema"
            || (word.starts_with("reg") && ["class", "type", "proc", "namespace", "role", "oper"].contains(&&word[3..]))
    })
}

/// Plans a statement as the engine parses it.
async fn of_engine(
    state: &SessionState,
    sql: &str,
    types: &[Option<Type>],
) -> std::result::Result<Planned, PrepareError> {
    let dialect = state.config().options().sql_parser.dialect;
    let summarized = summarized(state, sql).await?;
    let sql = summarized.as_deref().unwrap_or(sql);
    let mut statement = state.sql_to_statement(sql, &dialect)?;
    adapt(&mut statement, sql);
    check(&statement, sql)?;
    let ast = match &statement {
        Statement::Statement(ast) => Some(ast.as_ref().clone()),
        _ => None,
    };
    with_parameters(state, statement, ast, types).await
}

/// Plans a statement as Postgres parses it.
async fn of_postgres(
    state: &SessionState,
    sql: &str,
    types: &[Option<Type>],
) -> std::result::Result<Planned, PrepareError> {
    let resolved = with_search_path(sql);
    let text = resolved.as_deref().unwrap_or(sql);
    let mut statements = rewrite::parsed(text).map_err(|error| DataFusionError::SQL(Box::new(error), None))?;
    let (Some(ast), true) = (statements.pop(), statements.is_empty()) else {
        return Err(PrepareError::Sql(DataFusionError::Plan("expected one statement".to_owned())));
    };
    let mut statement = Statement::Statement(Box::new(ast));
    adapt(&mut statement, text);
    check(&statement, sql)?;
    let ast = match &statement {
        Statement::Statement(ast) => Some(ast.as_ref().clone()),
        _ => None,
    };
    let (plan, mut parameters) = with_parameters(state, statement, ast, types).await?;
    for (number, kind) in oid_parameters(sql) {
        if let Some(parameter) = parameters.get_mut(number - 1) {
            parameter.wire = kind;
        }
    }
    Ok((plan, parameters))
}

/// Grafana's query for the schemas of `search_path`; it uses functions over arrays that the engine does not have.
const SEARCH_PATH: &str = r#"SELECT CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
    FROM generate_series(
        array_lower(string_to_array(current_setting('search_path'),','),1),
        array_upper(string_to_array(current_setting('search_path'),','),1)) as i,
    string_to_array(current_setting('search_path'),',') s"#;

fn tokens_of(sql: &str) -> Option<Vec<Token>> {
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql).tokenize().ok()?;
    Some(tokens.into_iter().filter(|token| !matches!(token, Token::Whitespace(_))).collect())
}

/// Replaces that query by its answer within a statement; `None` where it does not occur.
fn with_search_path(sql: &str) -> Option<String> {
    if !sql.contains("search_path") {
        return None;
    }
    let (tokens, wanted) = (tokens_of(sql)?, tokens_of(SEARCH_PATH)?);
    let mut out: Vec<String> = Vec::with_capacity(tokens.len());
    let (mut at, mut found) = (0, false);
    while at < tokens.len() {
        if tokens[at..].starts_with(&wanted) {
            out.push("'public'".to_owned());
            at += wanted.len();
            found = true;
        } else {
            out.push(tokens[at].to_string());
            at += 1;
        }
    }
    found.then(|| out.join(" "))
}

/// Refuses everything but queries.
fn check(statement: &Statement, sql: &str) -> std::result::Result<(), PrepareError> {
    use ast::Statement as Ast;
    let reads = match statement {
        Statement::Statement(ast) => matches!(
            ast.as_ref(),
            Ast::Query(_)
                | Ast::Explain { .. }
                | Ast::ExplainTable { .. }
                | Ast::ShowTables { .. }
                | Ast::ShowColumns { .. }
                | Ast::ShowFunctions { .. }
        ),
        Statement::Explain(explain) => return check(&explain.statement, sql),
        _ => false,
    };
    if reads { Ok(()) } else { Err(PrepareError::ReadOnly(first_word(sql).unwrap_or_else(|| "this".to_owned()))) }
}

/// Plans a statement and finds its parameters. Where the plan does not determine a parameter's type, it is the one that
/// the client declared, else text.
async fn with_parameters(
    state: &SessionState,
    statement: Statement,
    ast: Option<ast::Statement>,
    types: &[Option<Type>],
) -> std::result::Result<Planned, PrepareError> {
    let planned = match state.statement_to_plan(statement).await {
        Ok(plan) => parameters(&plan, &HashMap::new()).map(|known| known.map(|known| (plan, known))),
        Err(error) => Err(error),
    };
    let planned = match (planned, ast) {
        (Ok(Some(planned)), _) => planned,
        (Ok(None), None) => {
            return Err(PrepareError::Sql(DataFusionError::Plan("parameters of unknown type".to_owned())));
        }
        (Err(error), None) => return Err(error.into()),
        (failed, Some(mut ast)) => {
            let context = Context::of(&ast);
            // With an element in the place of each array, the plan shows more types.
            let elements = Statement::Statement(Box::new(with_elements(&ast)));
            let shown = match state.statement_to_plan(elements).await {
                Ok(plan) => shown_types(plan.get_parameter_types()?, &context),
                Err(_) => HashMap::new(),
            };
            let declared = declare(&mut ast, types, &shown)?;
            if declared.is_empty() {
                return Err(PrepareError::Sql(
                    failed.err().unwrap_or_else(|| DataFusionError::Plan("no plan".to_owned())),
                ));
            }
            let plan = state.statement_to_plan(Statement::Statement(Box::new(ast))).await?;
            let known = parameters(&plan, &declared)?;
            let known = known.ok_or_else(|| DataFusionError::Plan("parameters of unknown type".to_owned()))?;
            (plan, known)
        }
    };
    let reads = SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
    reads.verify_plan(&planned.0).map_err(|_| PrepareError::ReadOnly("a statement that writes".to_owned()))?;
    Ok(planned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_about_the_catalogue_are_told_apart() {
        for sql in [
            "SELECT * FROM pg_catalog.pg_class",
            "SELECT 'flows'::regclass",
            "select table_name from INFORMATION_SCHEMA.tables",
            "SELECT pg_backend_pid()",
        ] {
            assert!(names_catalogue(sql), "{sql}");
        }
        for sql in ["SELECT host FROM flows", "SELECT region, regexp_like(host, '1') FROM flows", "SELECT 1"] {
            assert!(!names_catalogue(sql), "{sql}");
        }
    }

    #[test]
    fn lists_may_be_long_and_chains_may_not() {
        let list = vec!["'10.0.0.1'"; 20_000].join(", ");
        assert!(operators(&format!("SELECT 1 FROM flows WHERE host IN ({list}) AND port = -1")) < 20);
        assert_eq!(operators(&vec!["1"; 3_000].join("+")), 2_999);
        assert!(operators(&vec!["a = 1"; 3_000].join(" OR ")) > MAX_OPERATORS);
    }

    #[test]
    fn the_search_path_is_answered() {
        let sql = format!("SELECT 'a  b' FROM t WHERE \"x y\" IN (\n{SEARCH_PATH}) -- search_path");
        assert_eq!(with_search_path(&sql).as_deref(), Some("SELECT 'a  b' FROM t WHERE \"x y\" IN ( 'public' )"));
        assert_eq!(with_search_path("SHOW search_path"), None);
    }
}
