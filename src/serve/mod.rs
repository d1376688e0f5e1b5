//! SQL for other programs: the tables and functions of a [`Workspace`](crate::sql::Workspace) over the Postgres wire
//! protocol, for psql, Grafana, DBeaver and every driver that speaks it.
//!
//! `pgwire` reads and writes messages. From the bottom up: `encode` converts Arrow values to Postgres's and reads
//! parameters; `protocol` handles login, cancellation and the wording of errors; `catalogue` answers what clients ask
//! before their users do; `statements` plans and runs statements; `connection` answers one client's messages, `server`
//! serves all clients. A query costs what it costs in `flowsift sql`, and its rows are encoded one batch at a time.
//! Begin reading in `connection`.

mod catalogue;
mod connection;
mod encode;
mod error;
mod execute;
mod options;
mod protocol;
mod server;
mod session;
mod settings;
mod statements;

pub use error::ServeError;
pub use options::{Limits, Login, ServeOptions, TlsFiles};
pub use protocol::startup::made_password;
pub use server::Server;
