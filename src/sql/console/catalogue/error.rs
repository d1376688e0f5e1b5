//! Errors of the catalogue's queries.

use crate::sql::SqlError;

/// Why a query of the catalogue cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A file has a wrong header.
    #[error("query {name}, line {line}: {problem}")]
    Header {
        /// Name of the query.
        name: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// There is no query of that name.
    #[error("no query `{name}`{}; `flowsift query --list` lists all", hint(.near))]
    Unknown {
        /// The name that was asked for.
        name: String,
        /// A similar name, if there is one.
        near: Option<String>,
    },
    /// A given parameter is not one of the query's.
    #[error("query {name} has no parameter `{parameter}`; {known}")]
    Parameter {
        /// Name of the query.
        name: String,
        /// The name that was given.
        parameter: String,
        /// The query's parameters.
        known: String,
    },
    /// A parameter without default has no value.
    #[error("query {name} needs --param {parameter}=…: {about}")]
    Missing {
        /// Name of the query.
        name: String,
        /// The parameter.
        parameter: String,
        /// Its meaning.
        about: String,
    },
    /// A value is not of the parameter's type.
    #[error("query {name}, --param {parameter}: `{got}` is not {expected}")]
    Value {
        /// Name of the query.
        name: String,
        /// The parameter.
        parameter: String,
        /// What was given.
        got: String,
        /// What was expected.
        expected: String,
    },
    /// The SQL names a parameter that the header does not describe.
    #[error(transparent)]
    Sql(#[from] SqlError),
}

fn hint(near: &Option<String>) -> String {
    near.as_ref().map(|near| format!(", did you mean `{near}`?")).unwrap_or_default()
}
