//! The catalogue of questions: `queries/explore/*.sql`, each with a header that says what it asks and what it takes.

mod built_in;
mod error;
mod header;
mod page;
mod parameter;
mod query;

pub use built_in::{built_in, find};
pub use error::CatalogueError;
pub use page::{markdown, shown, table};
pub use parameter::{ParameterType, QueryParameter};
pub use query::{Query, QueryColumn, body};
