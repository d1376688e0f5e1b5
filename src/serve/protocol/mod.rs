//! The wire below statements: sockets, TLS, login, cancelling, and errors as Postgres words them.

pub(super) mod pg_error;
pub(super) mod register;
pub(super) mod signals;
pub(super) mod socket;
pub(super) mod startup;
pub(super) mod tls;
