//! SQL for other programs: the tables and functions of a [`Workspace`](crate::sql::Workspace) over the Postgres wire
//! protocol, for psql, Grafana, DBeaver and every driver that speaks it.
//!
//! `pgwire` reads and writes messages. From the bottom up: `encode` writes Arrow values as Postgres's and reads parameters;
//! `protocol` lets clients in, cancels, and words errors; `catalogue` answers what clients ask before their users do;
//! `statements` plans and runs what is asked; `connection` answers one client's messages, `server` all clients. A query costs
//! what it costs in `flowsift sql`, and its rows are encoded a batch at a time. Begin reading in `connection`.

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
