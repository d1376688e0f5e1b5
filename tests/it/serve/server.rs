//! A server of the demo corpus, and clients of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use tempfile::TempDir;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio_postgres::error::DbError;
use tokio_postgres::{AsyncMessage, Client, Config, Error, NoTls};

use crate::program::{program, scratch};

/// The committed corpus.
pub const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/datasets/demo");
/// The password of servers that are given one.
pub const PASSWORD: &str = "correct horse battery staple";

/// A server that runs; dropping it kills it.
#[derive(Debug)]
pub struct Serving {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub port: u16,
    /// What it said before it listened.
    pub lines: Vec<String>,
    /// Where it would spill: who is killed takes nothing away.
    _folder: TempDir,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Serving {
    /// Starts a server of the demo corpus that knows [`PASSWORD`].
    pub fn start(args: &[&str]) -> Self {
        Self::begin(args, Some(PASSWORD))
    }

    /// Starts a server that is given no password by the environment.
    pub fn start_without_password(args: &[&str]) -> Self {
        Self::begin(args, None)
    }

    fn begin(args: &[&str], password: Option<&str>) -> Self {
        let folder = scratch();
        let mut command = program();
        command
            .env("TMPDIR", folder.path())
            .args(["serve", DEMO, "--postgres", "127.0.0.1:0", "--threads", "2"])
            .args(args);
        match password {
            Some(password) => command.env("FLOWSIFT_PASSWORD", password),
            None => command.env_remove("FLOWSIFT_PASSWORD"),
        };
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = Vec::new();
        let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
        let port = loop {
            let line = said.next().unwrap_or_else(|| panic!("it did not listen: {lines:?}")).unwrap();
            let port = line.strip_prefix("listening on 127.0.0.1:").map(|rest| rest.split(' ').next().unwrap().parse());
            lines.push(line);
            if let Some(port) = port {
                break port.unwrap();
            }
        };
        // Whoever does not listen to the rest must not make it wait.
        std::thread::spawn(move || said.for_each(drop));
        Self { child, port, lines, _folder: folder }
    }

    /// How to connect.
    pub fn config(&self) -> Config {
        let mut config = Config::new();
        config.host("127.0.0.1").port(self.port).user("flowsift").password(PASSWORD).dbname("flowsift");
        config
    }

    /// A client that came in.
    pub async fn connect(&self) -> Client {
        let (client, connection) = self.config().connect(NoTls).await.unwrap();
        tokio::spawn(connection);
        client
    }

    /// A client that came in, and what the server tells it by the way.
    pub async fn connect_with_notices(&self) -> (Client, UnboundedReceiver<DbError>) {
        let (client, mut connection) = self.config().connect(NoTls).await.unwrap();
        let (sender, receiver) = unbounded_channel();
        tokio::spawn(async move {
            let mut messages = futures::stream::poll_fn(move |context| connection.poll_message(context));
            while let Some(Ok(message)) = futures::StreamExt::next(&mut messages).await {
                if let AsyncMessage::Notice(notice) = message {
                    let _ = sender.send(notice);
                }
            }
        });
        (client, receiver)
    }
}

/// The SQLSTATE and the message of a failure.
#[track_caller]
pub fn said<T: std::fmt::Debug>(result: Result<T, Error>) -> (String, String) {
    let failed = result.unwrap_err();
    match failed.as_db_error() {
        Some(said) => (said.code().code().to_owned(), said.message().to_owned()),
        None => (String::new(), failed.to_string()),
    }
}
