//! The scan compared with the stock reader, and on damaged files.

mod coded;
mod damage;
mod equal;
mod files;
mod physical;
mod records;
