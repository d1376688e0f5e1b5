//! The wire protocol below statements: sockets, TLS, login, cancellation, and errors in Postgres's form.

pub(super) mod bounded_stream;
pub(super) mod pg_error;
pub(super) mod register;
pub(super) mod signals;
pub(super) mod socket;
pub(super) mod startup;
pub(super) mod strangers;
pub(super) mod tls;
