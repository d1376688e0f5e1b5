//! Why SQL did not run.

use datafusion::error::DataFusionError;

/// Why SQL did not run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The SQL itself, or its data.
    #[error("{name}: {error}")]
    Query {
        /// What was run, such as the name of a detection.
        name: String,
        /// What the engine said.
        error: Box<DataFusionError>,
    },
    /// A plan needs more memory than the run may take, and cannot spill.
    #[error("{name}: not enough memory: {error}: allow more with --memory")]
    Memory {
        /// What was run, such as the name of a detection.
        name: String,
        /// What the engine said.
        error: Box<DataFusionError>,
    },
    /// A parameter is named in the SQL but has no value.
    #[error("{name}: no value for the parameter `${parameter}`; known are: {known}")]
    Parameter {
        /// What was run.
        name: String,
        /// The parameter.
        parameter: String,
        /// The names that have values.
        known: String,
    },
}

impl SqlError {
    pub(in crate::sql) fn query(name: &str, error: DataFusionError) -> Self {
        let (name, short) = (name.to_owned(), matches!(error.find_root(), DataFusionError::ResourcesExhausted(_)));
        let error = Box::new(error);
        if short { Self::Memory { name, error } } else { Self::Query { name, error } }
    }
}
