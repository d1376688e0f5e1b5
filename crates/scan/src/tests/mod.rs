//! The scan against the stock reader, and against damage.

mod coded;
mod damage;
mod equal;
mod files;
mod records;
