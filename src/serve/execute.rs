//! Executes session commands.

use super::connection::Connection;
use super::encode::Columns;
use super::protocol::pg_error::{self, PgError};
use super::statements::commands::{Command, Target};
use super::statements::portal::{Portal, State};
use super::statements::prepare::{Prepared, prepare};
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::Schema;
use flow::error_text;
use futures::SinkExt;
use pgwire::api::ClientInfo;
use pgwire::api::portal::Format;
use pgwire::api::results::Tag;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::response::TransactionStatus;
use pgwire::messages::startup::ParameterStatus;
use std::sync::Arc;

impl Connection {
    /// Executes a command and reports its completion; with `described`, the columns it shows are announced first, as
    /// the simple protocol requires.
    pub(super) async fn command(&mut self, command: &Command, described: bool) -> Result<(), PgError> {
        let status = self.socket.transaction_status();
        let tag = match command {
            Command::Set(name, value) => {
                if let Some((name, value)) = self.session.settings.set(name, value.as_deref())? {
                    let reported = PgWireBackendMessage::ParameterStatus(ParameterStatus::new(name, value));
                    self.socket.feed(reported).await?;
                }
                "SET"
            }
            Command::Show(which) => {
                let shown = self.shown(which)?;
                self.show(&command.schema(), shown, described).await?;
                "SHOW"
            }
            Command::Reset(Target::All) => {
                self.session.settings.reset();
                "RESET"
            }
            Command::Reset(Target::Named(name)) => {
                self.session.settings.set(name, None)?;
                "RESET"
            }
            Command::Begin => {
                self.socket.set_transaction_status(TransactionStatus::Transaction);
                "BEGIN"
            }
            Command::Commit | Command::Rollback => {
                self.held.portals.clear();
                self.socket.set_transaction_status(TransactionStatus::Idle);
                let well = *command == Command::Commit && status != TransactionStatus::Error;
                if well { "COMMIT" } else { "ROLLBACK" }
            }
            Command::Nothing("ROLLBACK") => {
                // A return to a savepoint: the transaction goes on.
                if status == TransactionStatus::Error {
                    self.socket.set_transaction_status(TransactionStatus::Transaction);
                }
                "ROLLBACK"
            }
            Command::Nothing(tag) => *tag,
            Command::Deallocate(which) => {
                match which {
                    Target::All => self.held.statements.clear(),
                    Target::Named(name) => drop(self.held.statements.remove(name)),
                }
                "DEALLOCATE"
            }
            Command::Discard => {
                self.held.portals.clear();
                self.held.statements.clear();
                self.session.settings.reset();
                "DISCARD ALL"
            }
            Command::Declare(name, sql) => {
                let Prepared::Query(query) = prepare(&self.session, sql, 0, &[]).await? else {
                    return Err(pg_error::error("42601", "a cursor needs a query"));
                };
                let prepared = Some(Prepared::Query(query));
                let portal =
                    Portal { prepared, values: None, format: Format::UnifiedText, state: State::Ready, declared: true };
                self.held.keep_portal(name.clone(), portal)?;
                "DECLARE CURSOR"
            }
            Command::Fetch(name, count, away) => {
                return self.fetch(name, *count, *away, described).await;
            }
            Command::Close(which) => {
                match which {
                    Target::All => self.held.portals.clear(),
                    Target::Named(name) => drop(self.held.portals.remove(name)),
                }
                "CLOSE CURSOR"
            }
        };
        self.socket.feed(PgWireBackendMessage::CommandComplete(Tag::new(tag).into())).await?;
        Ok(())
    }

    fn shown(&self, which: &Target) -> Result<Vec<Vec<String>>, PgError> {
        let settings = &self.session.settings;
        match which {
            Target::All => {
                Ok(settings.all().into_iter().map(|(name, value)| vec![name, value, String::new()]).collect())
            }
            Target::Named(name) => match settings.get(name) {
                Some(value) => Ok(vec![vec![value]]),
                None => Err(pg_error::error("42704", format!("unrecognized configuration parameter \"{name}\""))),
            },
        }
    }

    async fn show(&mut self, schema: &Schema, rows: Vec<Vec<String>>, described: bool) -> Result<(), PgError> {
        let columns = Columns::of(schema, &Format::UnifiedText)?;
        if described {
            self.socket.feed(PgWireBackendMessage::RowDescription(columns.description())).await?;
        }
        let column = |place: usize| -> ArrayRef {
            Arc::new(rows.iter().map(|row| row.get(place).map(String::as_str)).collect::<StringArray>())
        };
        let arrays = (0..schema.fields().len()).map(column).collect();
        let batch = RecordBatch::try_new(Arc::new(schema.clone()), arrays)
            .map_err(|error| pg_error::error("XX000", error_text(&error)))?;
        for row in columns.rows(&batch)? {
            self.socket.feed(PgWireBackendMessage::DataRow(row?)).await?;
        }
        Ok(())
    }

    async fn fetch(&mut self, name: &str, count: Option<usize>, away: bool, described: bool) -> Result<(), PgError> {
        let none = || pg_error::error("34000", format!("cursor \"{name}\" does not exist"));
        let mut portal = self.held.portals.remove(name).ok_or_else(none)?;
        let Some(Prepared::Query(query)) = portal.prepared.clone() else { return Err(none()) };
        if described && !away {
            let columns = Columns::of(query.plan.schema().as_arrow(), &portal.format)?;
            self.socket.feed(PgWireBackendMessage::RowDescription(columns.description())).await?;
        }
        let (sent, _) = self.rows_of(&mut portal, &query, count, away).await?;
        self.held.keep_portal(name.to_owned(), portal)?;
        let tag = Tag::new(if away { "MOVE" } else { "FETCH" }).with_rows(sent);
        self.socket.feed(PgWireBackendMessage::CommandComplete(tag.into())).await?;
        Ok(())
    }
}
