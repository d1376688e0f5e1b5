//! The catalogue of questions: `queries/explore/*.sql`. Each file's header states the question, the parameters and the
//! columns.

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
