//! What `sql`, `query` and `serve` share: a session over the sources, its statements, and where their rows go.

pub(super) mod output;
pub(super) mod printer;
pub(super) mod results;
pub(super) mod runner;
pub(super) mod screen;
mod text;
pub(super) mod workspace;
