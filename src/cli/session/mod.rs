//! The code shared by `sql`, `query` and `serve`: a session over the sources, its statements, and the output of rows.

pub(super) mod output;
pub(super) mod printer;
pub(super) mod results;
pub(super) mod runner;
pub(super) mod screen;
mod table;
mod text;
pub(super) mod workspace;
