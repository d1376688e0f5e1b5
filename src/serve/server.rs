//! Listens, serves clients, and shuts down in order.

use super::catalogue::with_catalogue;
use super::connection::Connection;
use super::error::ServeError;
use super::options::ServeOptions;
use super::protocol::pg_error::{self, PgError};
use super::protocol::register::{Entry, Register};
use super::protocol::signals::{Phase, Signals};
use super::protocol::socket::{Socket, next_message, open, part, say};
use super::protocol::startup::{Account, ClientLogin};
use super::protocol::strangers::{Strangers, StrangersPlace};
use super::protocol::tls::{Tls, load};
use super::session::{Session, SharedState};
use crate::sql::{PlanThreads, Workspace};
use bytes::BytesMut;
use flow::error_text;
use pgwire::api::{ClientInfo, METADATA_USER, PgWireConnectionState};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout, timeout_at};

/// A client that has not logged in by then is disconnected.
const STARTUP: Duration = Duration::from_secs(10);
/// A wrong password is answered after this delay, so that guessing is slow.
const AFTER_WRONG_PASSWORD: Duration = Duration::from_secs(1);
/// Clients that are refused and may still read why.
const PARTING: usize = 512;
/// Connections that wait to be accepted.
const BACKLOG: u32 = 1_024;
/// Time for the last messages to clients at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A listening server.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    state: Arc<ServerState>,
    phase: watch::Sender<Phase>,
    grace: Duration,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// State shared by all clients.
struct ServerState {
    shared: Arc<SharedState>,
    account: Account,
    tls: Option<Tls>,
    register: Arc<Register>,
    login_slots: Arc<Semaphore>,
    strangers: Arc<Strangers>,
    parting_slots: Arc<Semaphore>,
}

impl Server {
    /// Listens; clients wait until [`Server::run`].
    ///
    /// # Errors
    /// When the address, the certificate or the catalogue cannot be used.
    pub async fn listen(workspace: Arc<Workspace>, options: &ServeOptions) -> Result<Self, ServeError> {
        let tls = options.tls.as_ref().map(load).transpose()?;
        let failed = |source| ServeError::Listen { address: options.address, source };
        let account = Account::of(&options.login).map_err(failed)?;
        let listener = listen(options.address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = SharedState {
            context: with_catalogue(&workspace)?,
            files: workspace.reads_files(),
            workspace,
            limits: options.limits,
            threads: options.threads.max(1),
            planning: PlanThreads::start(options.threads.max(2)).map_err(ServeError::Threads)?,
        };
        let connections = options.connections.clamp(1, Semaphore::MAX_PERMITS);
        let state = ServerState {
            shared: Arc::new(shared),
            account,
            tls,
            register: Arc::default(),
            login_slots: Arc::new(Semaphore::new(connections)),
            strangers: Arc::default(),
            parting_slots: Arc::new(Semaphore::new(PARTING)),
        };
        let (phase, _) = watch::channel(Phase::Serving);
        Ok(Self { listener, address, state: Arc::new(state), phase, grace: options.grace })
    }

    /// Returns the address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes, and returns its reason once all connections are closed: idle ones at once,
    /// running statements when they have ended, at the latest after the grace period.
    pub async fn run<T>(self, stop: impl Future<Output = T>) -> T {
        let mut stop = std::pin::pin!(stop);
        let mut clients = JoinSet::new();
        let reason = loop {
            tokio::select! {
                reason = &mut stop => break reason,
                Some(_) = clients.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let (state, phase) = (self.state.clone(), self.phase.subscribe());
                        // In the order of arrival, whichever task runs first.
                        let stranger = state.strangers.come();
                        clients.spawn(Box::pin(state.receive(stream, phase, stranger)));
                    }
                    Err(error) => {
                        // Such as too many open files: this may get better, and retrying at once does not help.
                        tracing::warn!("cannot accept a connection: {}", error_text(&error));
                        sleep(Duration::from_millis(100)).await;
                    }
                },
            }
        };
        drop(self.listener);
        let mut all_left = async || while clients.join_next().await.is_some() {};
        let _ = self.phase.send(Phase::Draining);
        if timeout(self.grace, all_left()).await.is_err() {
            let _ = self.phase.send(Phase::Ending);
            let _ = timeout(LAST_WORDS, all_left()).await;
        }
        reason
    }
}

fn too_many() -> PgError {
    pg_error::fatal("53300", "sorry, too many clients already")
}

fn too_slow() -> PgError {
    pg_error::fatal("08006", format!("no login within {} seconds", STARTUP.as_secs()))
}

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    // The connections of clients that vanished are eventually released.
    socket.set_keepalive(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Returns the connection, and a second handle to watch it.
fn twice(stream: TcpStream) -> std::io::Result<(TcpStream, TcpStream)> {
    let stream = stream.into_std()?;
    let other = stream.try_clone()?;
    Ok((TcpStream::from_std(stream)?, TcpStream::from_std(other)?))
}

impl ServerState {
    /// Logs a client in and serves it until it leaves.
    async fn receive(self: Arc<Self>, stream: TcpStream, phase: watch::Receiver<Phase>, mut stranger: StrangersPlace) {
        let Ok((stream, peer)) = twice(stream) else { return };
        let signals = Arc::new(Signals::new(phase, peer));
        let acceptor = self.tls.as_ref().map(|tls| tls.acceptor.clone());
        let late = tokio::time::Instant::now() + STARTUP;
        let opened = tokio::select! {
            opened = timeout_at(late, open(stream, acceptor)) => opened,
            () = stranger.needed() => {
                // Nothing was heard from it yet.
                self.refuse(&signals).await;
                return;
            }
        };
        let Ok(Ok(Some(mut socket))) = opened else { return };
        let mut place = None;
        let coming = self.come_in(&mut socket, &signals, &mut place);
        let came = tokio::select! {
            came = timeout_at(late, coming) => came.unwrap_or_else(|_| Err(too_slow())),
            () = stranger.needed() => Err(too_many()),
            () = signals.draining() => Err(pg_error::shutting_down()),
        };
        drop(stranger);
        let (pid, _) = socket.pid_and_secret_key();
        match came {
            Ok(true) => {
                let user = socket.metadata().get(METADATA_USER).cloned().unwrap_or_default();
                let session = Session::open(&self.shared, pid, &user);
                socket.get_mut().trust(&session.context().runtime_env().memory_pool);
                let connection = Connection { socket, session, signals, held: Default::default(), skipping: false };
                connection.run().await;
            }
            Ok(false) | Err(PgError::Gone) => {}
            Err(PgError::Error(mut details)) => {
                drop(place);
                let Ok(_slot) = self.parting_slots.try_acquire() else { return };
                // Whatever the reason, a client that did not log in is disconnected.
                details.severity = "FATAL".to_owned();
                if details.code == "28P01" {
                    // `pgwire` leaves the name empty when there is no such user.
                    let user = socket.metadata().get(METADATA_USER).map_or("", String::as_str);
                    details.message = format!("password authentication failed for user \"{user}\"");
                    sleep(AFTER_WRONG_PASSWORD).await;
                }
                let _ = timeout(LAST_WORDS, say(&mut socket, *details)).await;
                part(socket.get_mut()).await;
            }
        }
        self.register.leave(pid);
    }

    /// Tells a client that has said nothing that it has to leave.
    async fn refuse(&self, signals: &Signals) {
        let (PgError::Error(details), Ok(_slot)) = (too_many(), self.parting_slots.try_acquire()) else { return };
        let mut message = BytesMut::new();
        let response = PgWireBackendMessage::ErrorResponse((*details).into());
        if response.encode(&mut message).is_ok() {
            signals.last_words(&message).await;
        }
    }

    /// Waits for the client to log in; `false` when it only sent a cancel request, or left.
    async fn come_in(
        &self,
        socket: &mut Socket,
        signals: &Arc<Signals>,
        place: &mut Option<tokio::sync::OwnedSemaphorePermit>,
    ) -> Result<bool, PgError> {
        let entry = Entry { register: self.register.clone(), signals: signals.clone() };
        let certificate = self.tls.as_ref().map(|tls| tls.certificate.as_slice());
        let login = ClientLogin::new(&self.account, certificate, entry);
        while let Some(message) = next_message(socket).await {
            let message = message?;
            match &message {
                PgWireFrontendMessage::CancelRequest(request) => {
                    self.register.cancel(request);
                    return Ok(false);
                }
                PgWireFrontendMessage::Terminate(_) => return Ok(false),
                PgWireFrontendMessage::Startup(_) if place.is_none() => {
                    let free = self.login_slots.clone().try_acquire_owned();
                    *place = Some(free.map_err(|_| too_many())?);
                }
                PgWireFrontendMessage::PasswordMessageFamily(_) => {}
                _ => return Err(pg_error::fatal("08P01", "expected a startup message or a password")),
            }
            login.receive(socket, message).await?;
            if matches!(socket.state(), PgWireConnectionState::ReadyForQuery) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
