//! Why a server does not begin.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a server does not begin.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address cannot be listened on.
    #[error("{address}: cannot listen: {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// A file of TLS cannot be used.
    #[error("{}: {problem}", path.display())]
    Tls {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no more threads.
    #[error("cannot start threads: {0}")]
    Threads(std::io::Error),
    /// The catalogue that clients ask cannot be set up.
    #[error("pg_catalog: {0}")]
    Catalogue(String),
}
