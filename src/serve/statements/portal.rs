//! Prepared statements and portals of a connection: what the extended protocol refers to by name.

use crate::serve::encode::decoded;
use crate::serve::protocol::pg_error::{self, PgError};
use crate::serve::protocol::signals::Deadline;
use crate::serve::statements::parameters::Parameter;
use crate::serve::statements::prepare::Prepared;
use crate::serve::statements::running_query::RunningQuery;
use datafusion::common::{ParamValues, ScalarValue};
use pgwire::api::Type;
use pgwire::api::portal::Format;
use pgwire::messages::extendedquery::Bind;
use std::collections::HashMap;
use tokio::time::sleep_until;

/// A prepared statement; `None` is an empty one.
#[derive(Clone, Debug)]
pub(in crate::serve) struct Statement {
    pub(in crate::serve) prepared: Option<Prepared>,
    /// The types that the client declared.
    pub(in crate::serve) declared: Vec<Option<Type>>,
}

/// The state of a portal.
#[derive(Debug)]
pub(in crate::serve) enum State {
    /// It has not been executed yet.
    Ready,
    /// It returns rows, until its deadline at most: a client that fetches slowly holds threads and memory meanwhile.
    Running(Box<RunningQuery>, Option<Deadline>),
    /// It was ended at its deadline.
    Late(Deadline),
    /// It has returned all rows.
    Done,
}

/// A statement with its parameters, or a cursor.
#[derive(Debug)]
pub(in crate::serve) struct Portal {
    pub(in crate::serve) prepared: Option<Prepared>,
    pub(in crate::serve) values: Option<ParamValues>,
    pub(in crate::serve) format: Format,
    pub(in crate::serve) state: State,
    /// A cursor of DECLARE, which outlives the message that created it.
    pub(in crate::serve) declared: bool,
}

/// Maximum number of statements, and of portals, that a connection may hold.
const MAX_NAMED: usize = 1_000;

/// Maximum number of portals of a connection that return rows at the same time: each has threads of its own.
const MAX_RUNNING: usize = 8;

/// What a connection holds by name; the empty name is the unnamed one.
#[derive(Debug, Default)]
pub(in crate::serve) struct NamedState {
    pub(in crate::serve) statements: HashMap<String, Statement>,
    pub(in crate::serve) portals: HashMap<String, Portal>,
}

impl NamedState {
    /// Stores a statement.
    ///
    /// # Errors
    /// When there are too many.
    pub(in crate::serve) fn keep_statement(&mut self, name: String, statement: Statement) -> Result<(), PgError> {
        if self.statements.len() >= MAX_NAMED && !self.statements.contains_key(&name) {
            return Err(pg_error::error(
                "53000",
                format!("more than {MAX_NAMED} prepared statements in one connection"),
            ));
        }
        self.statements.insert(name, statement);
        Ok(())
    }

    /// Stores a portal.
    ///
    /// # Errors
    /// When there are too many.
    pub(in crate::serve) fn keep_portal(&mut self, name: String, portal: Portal) -> Result<(), PgError> {
        if self.portals.len() >= MAX_NAMED && !self.portals.contains_key(&name) {
            return Err(pg_error::error("53000", format!("more than {MAX_NAMED} cursors in one connection")));
        }
        self.portals.insert(name, portal);
        Ok(())
    }

    /// Checks that one more portal may start to return rows.
    ///
    /// # Errors
    /// When there are too many.
    pub(in crate::serve) fn check_running(&self) -> Result<(), PgError> {
        let running = self.portals.values().filter(|portal| matches!(portal.state, State::Running(..))).count();
        if running < MAX_RUNNING {
            return Ok(());
        }
        Err(pg_error::error("53000", format!("more than {MAX_RUNNING} cursors open in one connection")))
    }

    /// Closes the portals that end with an implicit transaction.
    pub(in crate::serve) fn end_implicit_transaction(&mut self) {
        self.portals.retain(|_, portal| portal.declared);
    }

    /// Waits for the first deadline of a portal that returns rows, and ends it; waits forever if there is none.
    pub(in crate::serve) async fn end_late(&mut self) {
        let running = self.portals.values_mut().filter_map(|portal| match portal.state {
            State::Running(_, Some(deadline)) => Some((deadline, portal)),
            _ => None,
        });
        let Some((deadline, portal)) = running.min_by_key(|(deadline, _)| deadline.at) else {
            return std::future::pending().await;
        };
        sleep_until(deadline.at).await;
        portal.state = State::Late(deadline);
    }
}

impl Statement {
    /// Returns the types of the parameters as reported to the client.
    pub(in crate::serve) fn parameter_types(&self) -> Vec<Type> {
        let known: &[Parameter] = match &self.prepared {
            Some(Prepared::Query(query)) => &query.parameters,
            _ => &[],
        };
        let declared = |place: usize| self.declared.get(place).cloned().flatten();
        known.iter().enumerate().map(|(place, known)| declared(place).unwrap_or_else(|| known.wire.clone())).collect()
    }

    /// Binds values to the parameters.
    ///
    /// # Errors
    /// When their number is wrong or a value does not fit.
    pub(in crate::serve) fn bind(&self, name: &str, message: &Bind) -> Result<Portal, PgError> {
        let known: &[Parameter] = match &self.prepared {
            Some(Prepared::Query(query)) => &query.parameters,
            _ => &[],
        };
        let count = message.parameters.len();
        let formats = message.parameter_format_codes.len();
        if count != known.len() {
            let details = format!(
                "bind message supplies {count} parameters, but prepared statement \"{name}\" requires {}",
                known.len()
            );
            return Err(pg_error::error("08P01", details));
        }
        if formats > 1 && formats != count {
            return Err(pg_error::error("08P01", format!("bind message has {formats} formats but {count} parameters")));
        }
        let formats = formats_of(&message.parameter_format_codes);
        let wires = self.parameter_types();
        let mut values: Vec<ScalarValue> = Vec::with_capacity(count);
        for (index, (raw, parameter)) in message.parameters.iter().zip(known).enumerate() {
            values.push(decoded(raw.as_deref(), &wires[index], formats.format_for(index), &parameter.kind)?);
        }
        let values = (!values.is_empty()).then(|| ParamValues::from(values));
        Ok(Portal {
            prepared: self.prepared.clone(),
            values,
            format: formats_of(&message.result_column_format_codes),
            state: State::Ready,
            declared: false,
        })
    }
}

/// Expands the format codes of a message: none means text for all, one applies to all.
fn formats_of(codes: &[i16]) -> Format {
    match codes {
        [] => Format::UnifiedText,
        [code] => Format::from(*code),
        codes => Format::Individual(codes.to_vec()),
    }
}
