//! The rollup against a slow twin, the laws of merging, and the vantages that AWS documents.

mod derived;
mod described;
mod direction;
mod forwarders;
mod kept;
mod laws;
mod outer_legs;
mod record;
mod repeats;
mod rows;
mod services;
mod spill;
mod twin;
mod twin_repeats;
mod twin_rows;
mod vantage;
