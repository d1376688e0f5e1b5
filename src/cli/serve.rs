//! `flowsift serve`: SQL for other programs.

use super::exit::{Exit, Failure};
use super::options::Global;
use super::options::memory::parse_size;
use super::options::time::parse_timeout;
use super::session::workspace::WorkspaceArgs;
use super::signals::{Signal, Signals};
use super::stderr::tell;
use crate::serve::{Limits, Login, ServeError, ServeOptions, Server, TlsFiles, made_password};
use clap::Args;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The environment variable that may hold the password instead of a file.
const PASSWORD_VARIABLE: &str = "FLOWSIFT_PASSWORD";

/// Answer SQL over the Postgres wire protocol: psql, Grafana, DBeaver, Python
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  flowsift serve datasets/demo --postgres 127.0.0.1:5433\n  \
    psql 'host=127.0.0.1 port=5433 user=flowsift'\n  \
    flowsift serve s3://flow-logs/AWSLogs --from 7d --state s3://security/flowsift-state --password-file pw \\\n      \
    --postgres 0.0.0.0:5433 --allow-remote --tls-cert cert.pem --tls-key key.pem\n\n\
    The password comes from --password-file, else from the variable FLOWSIFT_PASSWORD, else one is made and printed. \
    Nothing can be written, and no file of this machine read unless --allow-files says so. Ctrl-C and SIGTERM let \
    running statements end within --grace; exit code 130 after Ctrl-C, 0 after SIGTERM.")]
pub(super) struct ServeArgs {
    /// s3://bucket/prefix, folder, file or glob; several are read as one
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Address and port to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:5433", value_parser = parse_address)]
    postgres: SocketAddr,
    /// The one user who may connect
    #[arg(long, value_name = "NAME", default_value = "flowsift")]
    user: String,
    /// File whose first line is the password
    #[arg(long, value_name = "FILE", conflicts_with = "no_password")]
    password_file: Option<PathBuf>,
    /// Let everyone on this machine connect; refused beyond loopback
    #[arg(long)]
    no_password: bool,
    /// Certificate (PEM); connections without TLS are then refused
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Listen on an address that other machines reach
    #[arg(long)]
    allow_remote: bool,
    /// Let queries read Parquet, CSV and JSON files of this machine: FROM 'assets.csv'
    #[arg(long)]
    allow_files: bool,
    /// End a statement that takes longer, such as 30s or 5m; 0s for never
    #[arg(long, value_name = "D", default_value = "5m", value_parser = parse_limit)]
    timeout: Duration,
    /// Refuse a statement that would read objects of more bytes, such as 10GB
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_bytes: Option<usize>,
    /// End a statement whose result has more rows
    #[arg(long, value_name = "N")]
    max_rows: Option<u64>,
    /// Most connections at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Time that running statements get when the server stops
    #[arg(long, value_name = "D", default_value = "10s", value_parser = parse_limit)]
    grace: Duration,
    #[command(flatten)]
    workspace: WorkspaceArgs,
}

/// Reads `127.0.0.1:5433`, `[::1]:5433`, `localhost:5433` or `5433`.
fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let local = text.strip_prefix("localhost:").unwrap_or(text);
    if let Ok(port) = local.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| format!("`{text}`: expected an address and a port such as 127.0.0.1:5433 or [::1]:5433"))
}

/// Reads a duration such as `30s`, or `0s`.
fn parse_limit(text: &str) -> Result<Duration, String> {
    if matches!(text.trim(), "0" | "0s") { Ok(Duration::ZERO) } else { parse_timeout(text) }
}

impl From<ServeError> for Failure {
    fn from(error: ServeError) -> Self {
        match error {
            ServeError::Tls { .. } => Failure::usage(error),
            _ => Failure::failed(error),
        }
    }
}

pub(super) fn run(global: &Global, args: &ServeArgs) -> Result<Exit, Failure> {
    let remote = !args.postgres.ip().is_loopback();
    if remote && !args.allow_remote {
        let problem = format!(
            "--postgres {}: other machines reach this address: say --allow-remote if they shall, best with --tls-cert \
             and --tls-key",
            args.postgres
        );
        return Err(Failure::usage(problem));
    }
    if remote && args.no_password {
        return Err(Failure::usage("--no-password: only on loopback, such as --postgres 127.0.0.1:5433"));
    }
    let (login, made) = login(args)?;
    let tls = args.tls_cert.clone().zip(args.tls_key.clone());
    let mut say = Say { quiet: global.is_quiet() };
    if remote && tls.is_none() {
        say.line("warning: without --tls-cert and --tls-key everyone on the way can read questions and answers")?;
    }
    let options = ServeOptions {
        address: args.postgres,
        login,
        tls: tls.map(|(certificate, key)| TlsFiles { certificate, key }),
        limits: Limits {
            timeout: Some(args.timeout).filter(|timeout| !timeout.is_zero()),
            max_bytes: args.max_bytes.map(|bytes| bytes as u64),
            max_rows: args.max_rows,
        },
        connections: usize::from(args.connections),
        grace: args.grace,
        threads: global.threads(),
    };
    let opened = args.workspace.open_with(global, &args.sources, true, args.allow_files)?;
    let workspace = Arc::new(opened.workspace);
    let stopped = opened.io.block_on(async {
        let server = Server::listen(workspace, &options).await?;
        let address = server.address();
        if let Some(password) = made {
            // Printed even when quiet: it is stored nowhere else.
            Say { quiet: false }.line(&format!("password of {}, made for this run: {password}", args.user))?;
        }
        let user = if args.no_password { "anyone".to_owned() } else { args.user.clone() };
        let tls = if options.tls.is_some() { ", TLS only" } else { "" };
        say.line(&format!("listening on {address} for {user}{tls}; Ctrl-C stops"))?;
        let signals = Signals::listen().map_err(Failure::failed)?;
        let stop = stop_on_signal(signals);
        Ok::<Signal, Failure>(server.run(stop).await)
    })?;
    Ok(match stopped {
        Signal::Interrupt => stopped.exit(),
        // A server that was stopped has succeeded.
        Signal::Terminate => Exit::Done,
    })
}

/// Returns who may connect, and the password if one had to be generated.
fn login(args: &ServeArgs) -> Result<(Login, Option<String>), Failure> {
    if args.no_password {
        return Ok((Login::Open, None));
    }
    let given = match (&args.password_file, std::env::var(PASSWORD_VARIABLE)) {
        (Some(path), _) => Some(password_of(path)?),
        (None, Ok(password)) => Some(password),
        (None, Err(std::env::VarError::NotPresent)) => None,
        (None, Err(error)) => return Err(Failure::usage_at(PASSWORD_VARIABLE, error)),
    };
    if given.as_deref().is_some_and(str::is_empty) {
        return Err(Failure::usage("the password is empty; --no-password lets everyone in on loopback"));
    }
    let (password, made) = match given {
        Some(password) => (password, None),
        None => {
            let made = made_password().map_err(Failure::failed)?;
            (made.clone(), Some(made))
        }
    };
    Ok((Login::Password { user: args.user.clone(), password }, made))
}

fn password_of(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::usage_at(format_args!("--password-file {}", path.display()), error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// Waits for Ctrl-C or SIGTERM; a second Ctrl-C ends the process at once.
async fn stop_on_signal(mut signals: Signals) -> Signal {
    let first = signals.next().await.unwrap_or(Signal::Interrupt);
    tokio::spawn(async move {
        while let Ok(signal) = signals.next().await {
            if signal == Signal::Interrupt {
                signal.exit().now();
            }
        }
    });
    first
}

/// Prints a message to stderr.
struct Say {
    quiet: bool,
}

impl Say {
    fn line(&mut self, text: &str) -> Result<(), Failure> {
        if !self.quiet {
            tell(text);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        for (text, address) in [
            ("127.0.0.1:5433", "127.0.0.1:5433"),
            ("5433", "127.0.0.1:5433"),
            ("localhost:0", "127.0.0.1:0"),
            ("[::1]:5433", "[::1]:5433"),
            ("0.0.0.0:1", "0.0.0.0:1"),
        ] {
            assert_eq!(parse_address(text).map(|address| address.to_string()).as_deref(), Ok(address));
        }
        assert!(parse_address("127.0.0.1").is_err() && parse_address("db.example:1").is_err());
    }
}
