//! Decodes one column chunk into the values of its rows, straight from pages.
//!
//! `cursor` walks the pages of a chunk; a [`decoder::ColumnDecoder`] determines what its values become: a number, an
//! interned text, an Arrow view, a code, or the results of predicates. `lazy` stands apart: it decodes single rows of
//! the columns that describe an ENI. `dictionary` evaluates a dictionary page by itself.

pub(crate) mod bits;
pub(crate) mod plain_text;
pub(crate) mod text_cache;

pub(crate) mod decoder;
mod page_reuse;

pub(crate) mod cursor;

pub(crate) mod number;
pub(crate) mod text;
pub(crate) mod view;

pub(crate) mod code;
pub(crate) mod dictionary;
pub(crate) mod predicate;

pub(crate) mod lazy;
