//! Errors that keep a server from starting.

use datafusion::error::DataFusionError;
use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server cannot listen on the address.
    #[error("{address}: cannot listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The system's error.
        source: std::io::Error,
    },
    /// A TLS file cannot be used.
    #[error("{}: {problem}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
        /// Why, where something else says so.
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The system has no more threads.
    #[error("cannot start threads")]
    Threads(#[source] std::io::Error),
    /// The catalogue that clients ask for cannot be set up.
    #[error("cannot set up pg_catalog")]
    Catalogue(#[source] Box<DataFusionError>),
}
