//! One connection: messages in, answers out.

use super::encode::Columns;
use super::protocol::pg_error::{self, PgError};
use super::protocol::signals::{Deadline, Signals};
use super::protocol::socket::{Socket, next_message, part, say};
use super::session::Session;
use super::statements::commands::Command;
use super::statements::portal::{NamedState, Portal, State, Statement};
use super::statements::prepare::{Prepared, Query, prepare, text_memory};
use super::statements::running_query::RunningQuery;
use crate::sql::statements;
use crate::sql::{SkipKind, Skipped, first_word};
use futures::SinkExt;
use futures::future::BoxFuture;
use pgwire::api::ClientInfo;
use pgwire::api::portal::Format;
use pgwire::api::results::Tag;
use pgwire::error::PgWireError;
use pgwire::messages::data::{NoData, ParameterDescription};
use pgwire::messages::extendedquery::{
    Bind, BindComplete, Close, CloseComplete, Describe, Execute, Parse, ParseComplete, PortalSuspended,
    TARGET_TYPE_BYTE_PORTAL, TARGET_TYPE_BYTE_STATEMENT,
};
use pgwire::messages::response::{EmptyQueryResponse, ReadyForQuery, TransactionStatus};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::sync::Arc;

/// A connection whose client has logged in.
pub(super) struct Connection {
    pub(super) socket: Socket,
    pub(super) session: Session,
    pub(super) signals: Arc<Signals>,
    pub(super) held: NamedState,
    /// After an error in the extended protocol, all messages up to the next Sync are ignored.
    pub(super) skipping: bool,
}

/// What to do after a message.
enum NextStep {
    Go,
    Leave,
}

/// Runs `work` unless something ends it first.
async fn within<T>(
    signals: &Signals,
    deadline: Option<Deadline>,
    work: impl Future<Output = Result<T, PgError>>,
) -> Result<T, PgError> {
    let listener = signals.listener();
    tokio::select! {
        biased;
        done = work => done,
        why = listener.ended(deadline) => Err(why),
    }
}

impl Connection {
    /// Answers messages until the client leaves or the server stops.
    pub(super) fn run(mut self) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.serve().await;
            // What it holds is freed before the client has read the last message.
            self.held = NamedState::default();
            part(self.socket.get_mut()).await;
        })
    }

    async fn serve(&mut self) {
        loop {
            let signals = self.signals.clone();
            let message = tokio::select! {
                message = next_message(&mut self.socket) => message,
                () = self.held.end_late() => continue,
                () = signals.draining() => {
                    if let PgError::Error(details) = pg_error::shutting_down() {
                        let _ = say(&mut self.socket, *details).await;
                    }
                    return;
                }
            };
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) => {
                    if let PgError::Error(details) = error {
                        let _ = say(&mut self.socket, *details).await;
                    }
                    return;
                }
                None => return,
            };
            let extended = message.is_extended_query();
            match Box::pin(self.answer(message)).await {
                Ok(NextStep::Go) => {}
                Ok(NextStep::Leave) => return,
                Err(error) => {
                    self.skipping = extended;
                    if self.fail(error).await.is_err() {
                        return;
                    }
                    let flushed = match extended {
                        true => self.socket.flush().await.map_err(PgError::from),
                        false => self.ready().await,
                    };
                    if flushed.is_err() {
                        return;
                    }
                }
            }
        }
    }

    async fn answer(&mut self, message: PgWireFrontendMessage) -> Result<NextStep, PgError> {
        if matches!(message, PgWireFrontendMessage::Terminate(_)) {
            return Ok(NextStep::Leave);
        }
        if self.skipping && !matches!(message, PgWireFrontendMessage::Sync(_)) {
            return Ok(NextStep::Go);
        }
        match message {
            PgWireFrontendMessage::Query(query) => self.simple(&query.query).await?,
            PgWireFrontendMessage::Parse(parse) => self.parse(parse).await?,
            PgWireFrontendMessage::Bind(bind) => self.bind(&bind).await?,
            PgWireFrontendMessage::Describe(describe) => self.describe(&describe).await?,
            PgWireFrontendMessage::Execute(execute) => self.execute(&execute).await?,
            PgWireFrontendMessage::Close(close) => self.close(&close).await?,
            PgWireFrontendMessage::Flush(_) => self.socket.flush().await?,
            PgWireFrontendMessage::Sync(_) => {
                self.skipping = false;
                self.held.portals.remove("");
                self.ready().await?;
            }
            // The client is still sending data for a COPY that was refused.
            PgWireFrontendMessage::CopyData(_)
            | PgWireFrontendMessage::CopyDone(_)
            | PgWireFrontendMessage::CopyFail(_) => {}
            _ => return Err(pg_error::fatal("08P01", "unexpected message")),
        }
        Ok(NextStep::Go)
    }

    /// Reports an error; an open transaction is then failed until its end.
    async fn fail(&mut self, error: PgError) -> Result<(), PgError> {
        let PgError::Error(details) = error else { return Err(PgError::Gone) };
        tracing::info!("{}: {}", details.code, details.message);
        let status = self.socket.transaction_status().to_error_state();
        self.socket.set_transaction_status(status);
        say(&mut self.socket, *details).await
    }

    async fn ready(&mut self) -> Result<(), PgError> {
        let status = self.socket.transaction_status();
        if status == TransactionStatus::Idle {
            self.held.end_implicit_transaction();
        }
        self.socket.send(PgWireBackendMessage::ReadyForQuery(ReadyForQuery::new(status))).await?;
        Ok(())
    }

    async fn feed(&mut self, message: PgWireBackendMessage) -> Result<(), PgError> {
        Ok(self.socket.feed(message).await?)
    }

    async fn complete(&mut self, tag: &str, rows: Option<usize>) -> Result<(), PgError> {
        let tag = Tag::new(tag);
        let tag = rows.map_or_else(|| tag.clone(), |rows| tag.clone().with_rows(rows));
        self.feed(PgWireBackendMessage::CommandComplete(tag.into())).await
    }

    fn deadline(&self) -> Option<Deadline> {
        Deadline::of(self.session.shared.limits.timeout, self.session.settings.statement_timeout())
    }

    /// The simple protocol: one text, possibly of several statements; the first one that fails is the last one run.
    async fn simple(&mut self, text: &str) -> Result<(), PgError> {
        let _taken = text_memory(&self.session, text)?;
        let all = statements(text);
        if all.is_empty() {
            self.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await?;
        }
        for statement in all {
            let before = text[..statement.at].chars().count();
            let (signals, deadline) = (self.signals.clone(), self.deadline());
            let done = within(&signals, deadline, Box::pin(self.one(&statement.sql, before))).await;
            if let Err(error) = done {
                self.fail(error).await?;
                break;
            }
        }
        self.ready().await
    }

    async fn one(&mut self, sql: &str, before: usize) -> Result<(), PgError> {
        self.check_transaction(sql)?;
        match prepare(&self.session, sql, before, &[]).await? {
            Prepared::Command(command) => self.command(&command, true).await,
            Prepared::Query(query) => {
                if !query.parameters.is_empty() {
                    return Err(pg_error::error("42P02", "there is no parameter $1"));
                }
                let mut running = RunningQuery::start(&self.session, &query, None, &Format::UnifiedText).await?;
                let columns = running.columns().clone();
                if !columns.is_empty() {
                    self.describe_rows(&columns).await?;
                }
                let (count, _) = running.send(&self.session, &mut self.socket, None, false).await?;
                let skipped = running.skipped(&self.session);
                self.warn(&skipped).await?;
                self.complete(tag_of(&query), Some(count).filter(|_| tag_of(&query) == "SELECT")).await
            }
        }
    }

    /// Warns of objects that a query could not read. Other logs and copies are no reason to warn: nothing is missing.
    async fn warn(&mut self, skipped: &[Skipped]) -> Result<(), PgError> {
        let unreadable: Vec<Skipped> = skipped.iter().filter(|one| one.kind == SkipKind::Unreadable).cloned().collect();
        match pg_error::incomplete(&unreadable) {
            Some(details) => self.feed(PgWireBackendMessage::NoticeResponse(details.into())).await,
            None => Ok(()),
        }
    }

    fn check_transaction(&self, sql: &str) -> Result<(), PgError> {
        let failed = self.socket.transaction_status() == TransactionStatus::Error;
        let ends = || matches!(Command::read(sql), Ok(Some(command)) if command.ends_transaction());
        if failed && !ends() { Err(pg_error::in_failed_transaction()) } else { Ok(()) }
    }

    async fn describe_rows(&mut self, columns: &Columns) -> Result<(), PgError> {
        let message = match columns.is_empty() {
            true => PgWireBackendMessage::NoData(NoData::new()),
            false => PgWireBackendMessage::RowDescription(columns.description()),
        };
        self.feed(message).await
    }

    async fn parse(&mut self, message: Parse) -> Result<(), PgError> {
        let declared: Vec<_> =
            message.type_oids.iter().map(|oid| pgwire::api::Type::from_oid(*oid).filter(|_| *oid != 0)).collect();
        let _taken = text_memory(&self.session, &message.query)?;
        let mut all = statements(&message.query);
        let prepared = match (all.pop(), all.is_empty()) {
            (None, _) => None,
            (Some(statement), true) => {
                self.check_transaction(&statement.sql)?;
                let before = message.query[..statement.at].chars().count();
                let (signals, deadline) = (self.signals.clone(), self.deadline());
                let preparing = prepare(&self.session, &statement.sql, before, &declared);
                Some(within(&signals, deadline, preparing).await?)
            }
            (Some(_), false) => {
                return Err(pg_error::error("42601", "cannot insert multiple commands into a prepared statement"));
            }
        };
        self.held.keep_statement(message.name.unwrap_or_default(), Statement { prepared, declared })?;
        self.feed(PgWireBackendMessage::ParseComplete(ParseComplete::new())).await
    }

    async fn bind(&mut self, message: &Bind) -> Result<(), PgError> {
        let name = message.statement_name.as_deref().unwrap_or_default();
        let portal = self.statement(name)?.bind(name, message)?;
        self.held.keep_portal(message.portal_name.clone().unwrap_or_default(), portal)?;
        self.feed(PgWireBackendMessage::BindComplete(BindComplete::new())).await
    }

    fn statement(&self, name: &str) -> Result<&Statement, PgError> {
        let none = || pg_error::error("26000", format!("prepared statement \"{name}\" does not exist"));
        self.held.statements.get(name).ok_or_else(none)
    }

    fn portal(&self, name: &str) -> Result<&Portal, PgError> {
        self.held.portals.get(name).ok_or_else(|| no_portal(name))
    }

    async fn describe(&mut self, message: &Describe) -> Result<(), PgError> {
        let name = message.name.as_deref().unwrap_or_default();
        let columns = match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => {
                let statement = self.statement(name)?;
                let types = statement.parameter_types().iter().map(pgwire::api::Type::oid).collect();
                let columns = self.columns_of(statement.prepared.as_ref(), &Format::UnifiedText)?;
                self.feed(PgWireBackendMessage::ParameterDescription(ParameterDescription::new(types))).await?;
                columns
            }
            TARGET_TYPE_BYTE_PORTAL => {
                let portal = self.portal(name)?;
                self.columns_of(portal.prepared.as_ref(), &portal.format)?
            }
            other => return Err(PgWireError::InvalidTargetType(other).into()),
        };
        self.describe_rows(&columns).await
    }

    /// Returns the columns that a statement will return.
    fn columns_of(&self, prepared: Option<&Prepared>, format: &Format) -> Result<Columns, PgError> {
        match prepared {
            Some(Prepared::Query(query)) => Columns::of(query.plan.schema().as_arrow(), format),
            Some(Prepared::Command(Command::Fetch(name, _, false))) => {
                self.columns_of(self.portal(name)?.prepared.as_ref(), format)
            }
            Some(Prepared::Command(command)) => Columns::of(&command.schema(), format),
            None => Columns::of(&arrow::datatypes::Schema::empty(), format),
        }
    }

    async fn execute(&mut self, message: &Execute) -> Result<(), PgError> {
        let name = message.name.clone().unwrap_or_default();
        // A limit of 0 or less means all rows.
        let most = usize::try_from(message.max_rows).ok().filter(|most| *most > 0);
        let mut portal = self.held.portals.remove(&name).ok_or_else(|| no_portal(&name))?;
        let (signals, deadline) = (self.signals.clone(), self.deadline());
        within(&signals, deadline, Box::pin(self.run_portal(&mut portal, most))).await?;
        self.held.keep_portal(name, portal)
    }

    async fn run_portal(&mut self, portal: &mut Portal, most: Option<usize>) -> Result<(), PgError> {
        match portal.prepared.clone() {
            None => self.feed(PgWireBackendMessage::EmptyQueryResponse(EmptyQueryResponse::new())).await,
            Some(Prepared::Command(command)) => {
                if self.socket.transaction_status() == TransactionStatus::Error && !command.ends_transaction() {
                    return Err(pg_error::in_failed_transaction());
                }
                self.command(&command, false).await
            }
            Some(Prepared::Query(query)) => {
                if self.socket.transaction_status() == TransactionStatus::Error {
                    return Err(pg_error::in_failed_transaction());
                }
                let (count, more) = self.rows_of(portal, &query, most, false).await?;
                match more {
                    true => self.feed(PgWireBackendMessage::PortalSuspended(PortalSuspended::new())).await,
                    false => self.complete(tag_of(&query), Some(count).filter(|_| tag_of(&query) == "SELECT")).await,
                }
            }
        }
    }

    /// Sends the next rows of a portal, starting it if needed; returns how many, and whether there may be more.
    pub(super) async fn rows_of(
        &mut self,
        portal: &mut Portal,
        query: &Arc<Query>,
        most: Option<usize>,
        away: bool,
    ) -> Result<(usize, bool), PgError> {
        if matches!(portal.state, State::Ready) {
            self.held.check_running()?;
            let deadline = self.deadline();
            let running = RunningQuery::start(&self.session, query, portal.values.clone(), &portal.format).await?;
            portal.state = State::Running(Box::new(running), deadline);
        }
        let (running, deadline) = match &mut portal.state {
            State::Running(running, deadline) => (running, *deadline),
            State::Late(deadline) => return Err(pg_error::timed_out(deadline.limit)),
            State::Ready | State::Done => return Ok((0, false)),
        };
        let signals = self.signals.clone();
        let sending = Box::pin(running.send(&self.session, &mut self.socket, most, away));
        let (count, more) = within(&signals, deadline, sending).await?;
        if !more {
            let skipped = running.skipped(&self.session);
            portal.state = State::Done;
            self.warn(&skipped).await?;
        }
        Ok((count, more))
    }

    async fn close(&mut self, message: &Close) -> Result<(), PgError> {
        let name = message.name.as_deref().unwrap_or_default();
        match message.target_type {
            TARGET_TYPE_BYTE_STATEMENT => drop(self.held.statements.remove(name)),
            TARGET_TYPE_BYTE_PORTAL => drop(self.held.portals.remove(name)),
            other => return Err(PgWireError::InvalidTargetType(other).into()),
        }
        self.feed(PgWireBackendMessage::CloseComplete(CloseComplete::new())).await
    }
}

fn no_portal(name: &str) -> PgError {
    pg_error::error("34000", format!("cursor \"{name}\" does not exist"))
}

/// Returns the tag of a completed query.
fn tag_of(query: &Query) -> &'static str {
    match first_word(&query.sql).as_deref() {
        Some("EXPLAIN") => "EXPLAIN",
        Some("SHOW" | "DESCRIBE" | "DESC") => "SHOW",
        _ => "SELECT",
    }
}
