//! What a client receives when its statement did not run: a message with its SQLSTATE, the position and a hint.

use crate::serve::options::Limits;
use crate::serve::protocol::bounded_stream::MessageError;
use crate::sql::Skipped;
use crate::sql::{Mistake, MistakeKind, explain};
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use flow::printable::{printable, printable_lines};
use flow::units::{bytes_text, counted, duration_text};
use pgwire::error::{ErrorInfo, PgWireError};
use std::time::Duration;

/// Why something was refused or ended.
#[derive(Debug)]
pub(in crate::serve) enum PgError {
    /// An error to send to the client.
    Error(Box<ErrorInfo>),
    /// The client is gone, so nothing can be sent.
    Gone,
}

impl From<PgWireError> for PgError {
    fn from(error: PgWireError) -> Self {
        match error {
            PgWireError::IoError(error) => error.into(),
            other => PgError::Error(Box::new(other.into())),
        }
    }
}

impl From<std::io::Error> for PgError {
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|cause| cause.downcast_ref::<MessageError>()) {
            Some(message @ MessageError::TooLong { .. }) => fatal("54000", message.to_string()),
            Some(message @ MessageError::NoMemory { .. }) => fatal("53200", message.to_string()),
            None => PgError::Gone,
        }
    }
}

/// Returns an error that leaves the connection open.
pub(in crate::serve) fn error(code: &str, message: impl Into<String>) -> PgError {
    PgError::Error(Box::new(info("ERROR", code, message)))
}

/// Returns an error that ends the connection.
pub(in crate::serve) fn fatal(code: &str, message: impl Into<String>) -> PgError {
    PgError::Error(Box::new(info("FATAL", code, message)))
}

/// Clients print messages as they come, and data may be in them: control characters show as escapes.
fn info(severity: &str, code: &str, message: impl Into<String>) -> ErrorInfo {
    let message = printable_lines(&message.into());
    let mut info = ErrorInfo::new(severity.to_owned(), code.to_owned(), message);
    info.severity_nonlocalized = Some(severity.to_owned());
    info
}

/// The error for a statement that the client cancelled.
pub(in crate::serve) fn cancelled() -> PgError {
    error("57014", "canceling statement due to user request")
}

/// The error for a statement that ran too long.
pub(in crate::serve) fn timed_out(limit: Duration) -> PgError {
    let limit = duration_text(limit.as_secs_f64());
    let PgError::Error(mut details) =
        error("57014", format!("canceling statement due to statement timeout of {limit}"))
    else {
        return PgError::Gone;
    };
    details.hint = Some("the server's --timeout and the client's statement_timeout allow more".to_owned());
    PgError::Error(details)
}

/// The error that ends connections when the server stops.
pub(in crate::serve) fn shutting_down() -> PgError {
    fatal("57P01", "terminating connection: flowsift is shutting down")
}

/// The error for a statement that would read more than allowed.
pub(in crate::serve) fn too_much(bytes: u64, limit: u64) -> PgError {
    let message = format!(
        "the statement would read objects of {}, the server's --max-bytes allows {}",
        bytes_text(bytes),
        bytes_text(limit)
    );
    with_hint(error("53400", message), "narrow it by start, date, hour, account or region")
}

/// The error for a result that is too long.
pub(in crate::serve) fn too_many_rows(limits: &Limits) -> PgError {
    let most = limits.max_rows.unwrap_or(0);
    with_hint(error("54000", format!("the result has more than {most} rows, the server's --max-rows")), "add a LIMIT")
}

/// The error for a statement that would change data or the server.
pub(in crate::serve) fn read_only(statement: &str) -> PgError {
    error("25006", format!("cannot execute {statement}: flowsift serves data read-only"))
}

/// The error for a Postgres feature that flowsift does not have.
pub(in crate::serve) fn unsupported(what: &str) -> PgError {
    error("0A000", format!("{what} is not supported"))
}

/// The error for a statement in a failed transaction, where only its end is executed.
pub(in crate::serve) fn in_failed_transaction() -> PgError {
    error("25P02", "current transaction is aborted, commands ignored until end of transaction block")
}

/// Returns a warning that rows are missing, for a query that was answered all the same; `None` when everything could be
/// read.
pub(in crate::serve) fn incomplete(skipped: &[Skipped]) -> Option<ErrorInfo> {
    let first = skipped.first()?;
    let count = skipped.len();
    let objects = counted(count as u64, "object", "objects");
    let mut details = info("WARNING", "01000", format!("{objects} could not be read: their records are missing"));
    details.detail = Some(format!("{}: {}", printable(&first.object), printable(&first.reason)));
    Some(details)
}

/// Adds a hint.
pub(in crate::serve) fn with_hint(error: PgError, hint: &str) -> PgError {
    match error {
        PgError::Error(mut details) => {
            details.hint = Some(hint.to_owned());
            PgError::Error(details)
        }
        PgError::Gone => PgError::Gone,
    }
}

/// Returns the error for a mistake in a statement that begins `before` characters after the start of what the client
/// sent.
pub(in crate::serve) fn mistaken(
    context: &SessionContext,
    sql: &str,
    before: usize,
    failed: &DataFusionError,
) -> PgError {
    let mistake = explain(context, sql, failed);
    let mut details = info("ERROR", code_of(&mistake, failed), mistake.message.clone());
    details.hint = mistake.hint.clone();
    details.position = position(&mistake, sql).map(|position| (before + position).to_string());
    PgError::Error(Box::new(details))
}

/// Returns the position of a mistake in a statement in characters, from 1.
fn position(mistake: &Mistake, sql: &str) -> Option<usize> {
    let place = mistake.place?;
    let before: usize = sql.lines().take(place.line - 1).map(|line| line.chars().count()).sum();
    // `lines` swallows "\n" and "\r\n".
    let ends = sql.match_indices('\n').take(place.line - 1);
    let breaks: usize = ends.map(|(at, _)| if sql[..at].ends_with('\r') { 2 } else { 1 }).sum();
    Some(before + breaks + place.column)
}

/// Returns the SQLSTATE of a mistake, as in Postgres's appendix A.
fn code_of(mistake: &Mistake, failed: &DataFusionError) -> &'static str {
    match mistake.kind {
        MistakeKind::Syntax => "42601",
        MistakeKind::NoColumn => "42703",
        MistakeKind::Ambiguous => "42702",
        MistakeKind::NoTable => "42P01",
        MistakeKind::NoFunction => "42883",
        MistakeKind::Memory => "53200",
        MistakeKind::Spill => "53100",
        MistakeKind::Unsupported => "0A000",
        MistakeKind::Plan => "42000",
        MistakeKind::Value => match failed.find_root().to_string().to_ascii_lowercase() {
            details if details.contains("divide by zero") => "22012",
            details if details.contains("overflow") => "22003",
            details if details.contains("cast") || details.contains("pars") => "22P02",
            _ => "22000",
        },
        MistakeKind::Other => match failed.find_root() {
            DataFusionError::Internal(_) => "XX000",
            _ => "58030",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::Lists;
    use crate::sql::open_session;

    #[tokio::test]
    async fn mistakes_have_a_code_a_place_and_a_hint() {
        let context = open_session(Vec::new(), &Lists::default(), 1).unwrap();
        context.state_ref().write().config_mut().options_mut().sql_parser.collect_spans = true;
        for (sql, code, position, hint) in [
            ("SELECT 1,\r\n human_byte(1)", "42883", Some("13"), "did you mean `human_bytes`?"),
            ("SELECT 1 +", "42601", None, ""),
            ("SELECT a FROM (VALUES (1)) AS t (b)", "42703", Some("8"), "did you mean `b`?"),
            ("SELECT 1 FROM t", "42P01", Some("15"), ""),
            ("SELECT 1/0", "22012", None, ""),
            ("SELECT CAST('x' AS INT)", "22P02", Some("13"), ""),
        ] {
            let failed = match context.sql(sql).await {
                Ok(frame) => frame.collect().await.unwrap_err(),
                Err(failed) => failed,
            };
            let PgError::Error(details) = mistaken(&context, sql, 0, &failed) else { panic!("gone") };
            assert_eq!((details.code.as_str(), details.position.as_deref()), (code, position), "{sql}: {details:?}");
            assert!(details.hint.unwrap_or_default().starts_with(hint), "{sql}");
        }
    }
}
