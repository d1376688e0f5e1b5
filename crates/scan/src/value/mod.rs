//! What the texts and numbers of a flow record's fields mean, however a file writes them.

pub(crate) mod decision;
pub(crate) mod number;
pub(crate) mod text;
