//! Options that several commands share, each defined once.

pub(super) mod config;
pub(super) mod global;
pub(super) mod input;
pub(super) mod memory;
pub(super) mod notify;
pub(super) mod time;
mod trace;

pub(super) use global::{Global, RunMemory};
