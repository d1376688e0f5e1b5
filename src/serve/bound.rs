//! Prepared statements and portals of a connection: what the extended protocol names.

use super::answer::Answer;
use super::parameters::Parameter;
use super::parse::Prepared;
use super::refusal::{self, Refusal};
use super::signals::Deadline;
use arrow::datatypes::DataType;
use arrow_pg::datatypes::df::deserialize_parameters_with_server_types;
use datafusion::common::ParamValues;
use pgwire::api::Type;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::stmt::StoredStatement;
use pgwire::messages::extendedquery::Bind;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::time::sleep_until;

/// A prepared statement; `None` is an empty one.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) prepared: Option<Prepared>,
    /// The types that the client declared.
    pub(super) declared: Vec<Option<Type>>,
}

/// How far a portal is.
#[derive(Debug)]
pub(super) enum State {
    /// It was not asked yet.
    Ready,
    /// It gives rows, until its deadline at most: who fetches slowly holds threads and memory meanwhile.
    Running(Box<Answer>, Option<Deadline>),
    /// It was ended at its deadline.
    Late(Deadline),
    /// It gave all.
    Done,
}

/// A statement with its parameters, or a cursor.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) prepared: Option<Prepared>,
    pub(super) values: Option<ParamValues>,
    pub(super) format: Format,
    pub(super) state: State,
    /// A cursor of DECLARE, which outlives the message that made it.
    pub(super) declared: bool,
}

/// Most statements, and most portals, that a connection may hold.
const MOST: usize = 1_000;

/// Most portals of a connection that give rows at a time: each has threads of its own.
const MOST_RUNNING: usize = 8;

/// What a connection holds by name; the empty name is the unnamed one.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) statements: HashMap<String, Statement>,
    pub(super) portals: HashMap<String, Bound>,
}

impl Held {
    /// Keeps a statement.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn keep_statement(&mut self, name: String, statement: Statement) -> Result<(), Refusal> {
        if self.statements.len() >= MOST && !self.statements.contains_key(&name) {
            return Err(refusal::error("53000", format!("more than {MOST} prepared statements in one connection")));
        }
        self.statements.insert(name, statement);
        Ok(())
    }

    /// Keeps a portal.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn keep_portal(&mut self, name: String, bound: Bound) -> Result<(), Refusal> {
        if self.portals.len() >= MOST && !self.portals.contains_key(&name) {
            return Err(refusal::error("53000", format!("more than {MOST} cursors in one connection")));
        }
        self.portals.insert(name, bound);
        Ok(())
    }

    /// Checks that one more portal may begin to give rows.
    ///
    /// # Errors
    /// When there are too many.
    pub(super) fn check_running(&self) -> Result<(), Refusal> {
        let running = self.portals.values().filter(|bound| matches!(bound.state, State::Running(..))).count();
        if running < MOST_RUNNING {
            return Ok(());
        }
        Err(refusal::error("53000", format!("more than {MOST_RUNNING} cursors under way in one connection")))
    }

    /// Closes what ends with a transaction that nobody began.
    pub(super) fn end_implicit_transaction(&mut self) {
        self.portals.retain(|_, bound| bound.declared);
    }

    /// Waits for the first deadline of a portal that gives rows, and ends it; for ever where there is none.
    pub(super) async fn end_late(&mut self) {
        let running = self.portals.values_mut().filter_map(|bound| match bound.state {
            State::Running(_, Some(deadline)) => Some((deadline, bound)),
            _ => None,
        });
        let Some((deadline, bound)) = running.min_by_key(|(deadline, _)| deadline.at) else {
            return std::future::pending().await;
        };
        sleep_until(deadline.at).await;
        bound.state = State::Late(deadline);
    }
}

impl Statement {
    /// The types of the parameters as the client is told them.
    pub(super) fn parameter_types(&self) -> Vec<Type> {
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
    /// When their number or a value does not fit.
    pub(super) fn bind(&self, name: &str, message: &Bind) -> Result<Bound, Refusal> {
        let known: &[Parameter] = match &self.prepared {
            Some(Prepared::Query(query)) => &query.parameters,
            _ => &[],
        };
        let count = message.parameters.len();
        let formats = message.parameter_format_codes.len();
        if count != known.len() {
            let said = format!(
                "bind message supplies {count} parameters, but prepared statement \"{name}\" requires {}",
                known.len()
            );
            return Err(refusal::error("08P01", said));
        }
        if formats > 1 && formats != count {
            return Err(refusal::error("08P01", format!("bind message has {formats} formats but {count} parameters")));
        }
        let declared: Vec<Option<Type>> = (0..count).map(|at| self.declared.get(at).cloned().flatten()).collect();
        let stored = StoredStatement::new(name.to_owned(), (), declared);
        let portal = Portal::try_new(message, Arc::new(stored))?;
        let kinds: Vec<Option<&DataType>> = known.iter().map(|parameter| Some(&parameter.kind)).collect();
        let wires: Vec<Option<&Type>> = known.iter().map(|parameter| Some(&parameter.wire)).collect();
        let values = match known.is_empty() {
            true => None,
            false => Some(deserialize_parameters_with_server_types(&portal, &kinds, &wires)?),
        };
        Ok(Bound {
            prepared: self.prepared.clone(),
            values,
            format: portal.result_column_format,
            state: State::Ready,
            declared: false,
        })
    }
}
