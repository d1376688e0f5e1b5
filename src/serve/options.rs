//! What a server is told.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Who may come in.
#[derive(Clone)]
pub enum Login {
    /// This user with this password, by SCRAM-SHA-256.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// Anyone.
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

/// The server's certificate and its key, as PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those between it and its root.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Limits of each statement.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Longest time from its start to its last row; a client may set less (`statement_timeout`).
    pub timeout: Option<Duration>,
    /// Most bytes of objects that it may read.
    pub max_bytes: Option<u64>,
    /// Most rows of a result.
    pub max_rows: Option<u64>,
}

/// What a server is told.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes a free one.
    pub address: SocketAddr,
    /// Who may come in.
    pub login: Login,
    /// With it, connections without TLS are refused.
    pub tls: Option<TlsFiles>,
    /// Limits of each statement.
    pub limits: Limits,
    /// Most connections at a time, at least 1.
    pub connections: usize,
    /// What running statements are given when the server stops.
    pub grace: Duration,
    /// Threads of each plan, at least 1.
    pub threads: usize,
}
