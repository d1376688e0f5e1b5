//! The scan against the stock reader, and against damage.

mod damage;
mod equal;
mod files;
mod records;
