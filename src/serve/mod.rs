//! SQL for other programs: the tables and functions of a [`Workspace`](crate::sql::Workspace) over the Postgres wire
//! protocol, for psql, Grafana, DBeaver and whatever speaks it.
//!
//! `pgwire` reads and writes messages, `arrow-pg` writes Arrow values as Postgres's, `datafusion-pg-catalog` has the
//! tables of `pg_catalog` and turns the questions that clients ask of them into ones that the engine answers. Here is
//! what makes a server of it that can be left alone: who may come in, what may be asked, and what ends a query.

mod answer;
mod bound;
mod catalogue;
mod commands;
mod connection;
mod done;
mod encode;
mod error;
mod information;
mod options;
mod parameters;
mod parse;
mod refusal;
mod register;
mod server;
mod session;
mod settings;
mod signals;
mod startup;
mod tls;

pub use error::ServeError;
pub use options::{Limits, Login, ServeOptions, TlsFiles};
pub use server::Server;
pub use startup::made_password;
