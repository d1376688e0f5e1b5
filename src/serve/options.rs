//! Options of the server.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Which clients may log in.
#[derive(Clone)]
pub enum Login {
    /// This user with this password, by SCRAM-SHA-256.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// Any client.
    Open,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Login::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Login::Open => f.write_str("Open"),
        }
    }
}

/// The server's certificate and its key, in PEM files.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and the chain between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Limits of each statement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Maximum time from the start of a statement to its last row; a client may set less (`statement_timeout`).
    pub timeout: Option<Duration>,
    /// Maximum number of object bytes that it may read.
    pub max_bytes: Option<u64>,
    /// Maximum number of rows of a result.
    pub max_rows: Option<u64>,
}

/// Options of the server.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// The address to listen on; port 0 takes a free one.
    pub address: SocketAddr,
    /// Which clients may log in.
    pub login: Login,
    /// If set, connections without TLS are refused.
    pub tls: Option<TlsFiles>,
    /// Limits of each statement.
    pub limits: Limits,
    /// Maximum number of connections at a time, at least 1.
    pub connections: usize,
    /// The grace period of running statements when the server stops.
    pub grace: Duration,
    /// Threads of each plan, at least 1.
    pub threads: usize,
}
