//! Why SQL did not run.

use datafusion::error::DataFusionError;

/// Why SQL did not run.
#[derive(Debug, thiserror::Error)]
pub enum SqlError {
    /// The SQL itself, or its data.
    #[error("{name} failed")]
    Query {
        /// What was run, such as `detection beacon`.
        name: String,
        /// The engine's error.
        source: Box<DataFusionError>,
    },
    /// A plan needs more memory than the run may use, and cannot spill.
    #[error("{name}: not enough memory; allow more with --memory")]
    Memory {
        /// What was run, such as `detection beacon`.
        name: String,
        /// The engine's error.
        source: Box<DataFusionError>,
    },
    /// A parameter is named in the SQL but has no value.
    #[error("{name}: no value for the parameter `${parameter}`; known are: {known}")]
    Parameter {
        /// What was running.
        name: String,
        /// The parameter.
        parameter: String,
        /// The names that have values.
        known: String,
    },
}

impl SqlError {
    pub(in crate::sql) fn query(name: &str, error: DataFusionError) -> Self {
        let name = name.to_owned();
        let is_short_of_memory = matches!(error.find_root(), DataFusionError::ResourcesExhausted(_));
        let source = Box::new(error);
        if is_short_of_memory { Self::Memory { name, source } } else { Self::Query { name, source } }
    }
}
