//! JSON in one pass: what is not asked for is passed over, and what is asked for is a slice of the text.

mod block;
mod cursor;
mod stream;

pub(crate) use cursor::Cursor;
pub(crate) use stream::{Wrapping, stream, text_at, values};
