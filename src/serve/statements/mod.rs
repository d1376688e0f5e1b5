//! From a client's text to rows: commands about the session, prepared statements, portals, and running queries.

pub(super) mod commands;
pub(super) mod parameters;
pub(super) mod portal;
pub(super) mod prepare;
pub(super) mod running_query;
