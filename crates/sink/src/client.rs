//! One HTTP client for all sinks: no redirects, no proxy, bounded time and bytes, and only addresses that were checked.

use crate::address::{Reach, Refused};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Url, redirect};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// Bytes of an answer that are read; more is cut off.
const MAX_ANSWER_BYTES: usize = 1 << 20;

/// How requests are made.
#[derive(Debug, Clone, Copy)]
pub struct ClientOptions {
    /// Which addresses may be reached.
    pub reach: Reach,
    /// The longest that one request may take, its answer included.
    pub timeout: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self { reach: Reach::default(), timeout: Duration::from_secs(10) }
    }
}

/// A request.
#[derive(Clone)]
pub(crate) struct Request {
    /// Where it goes.
    pub(crate) url: Url,
    /// Its headers; their values may be secret.
    pub(crate) headers: Vec<(String, String)>,
    /// What it says.
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) status: u16,
    /// The header `Retry-After`.
    pub(crate) retry_after: Option<String>,
    /// The first bytes of the body.
    pub(crate) body: Vec<u8>,
    /// Whether the body came to its end, or to the bound.
    pub(crate) whole: bool,
}

/// Why a request had no answer. Texts never hold the URL, which may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// Not `https`.
    #[error("only https is allowed")]
    NotHttps,
    /// The URL has no host.
    #[error("the URL names no host")]
    NoHost,
    /// The name does not resolve.
    #[error("the name of the host does not resolve: {0}")]
    Unresolved(String),
    /// An address of the host must not be reached.
    #[error("its address {address} {why}")]
    Address {
        /// The address.
        address: IpAddr,
        /// Why not.
        why: Refused,
    },
    /// No connection, no answer, or not in time.
    #[error("{0}")]
    Failed(String),
}

impl SendError {
    /// Returns whether another try may succeed.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unresolved(_) | Self::Failed(_))
    }
}

/// A client whose connections go to the checked addresses of one host.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    options: ClientOptions,
}

impl Client {
    /// Resolves the host of a URL, checks each of its addresses, and returns a client that connects to those alone.
    ///
    /// # Errors
    /// [`SendError`] when the URL, its host or one of its addresses must not be used.
    pub(crate) async fn open(url: &Url, options: ClientOptions) -> Result<Self, SendError> {
        if !(url.scheme() == "https" || (url.scheme() == "http" && options.reach.loopback)) {
            return Err(SendError::NotHttps);
        }
        let host = url.host_str().ok_or(SendError::NoHost)?;
        let port = url.port_or_known_default().ok_or(SendError::NoHost)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let addresses: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => {
                let found = tokio::time::timeout(options.timeout, tokio::net::lookup_host((bare, port))).await;
                let found = found.map_err(|_| SendError::Unresolved("no answer in time".to_owned()))?;
                found.map_err(|error| SendError::Unresolved(error.to_string()))?.collect()
            }
        };
        if addresses.is_empty() {
            return Err(SendError::Unresolved("it has no address".to_owned()));
        }
        for address in &addresses {
            let refused = |why| SendError::Address { address: address.ip(), why };
            options.reach.check(address.ip()).map_err(refused)?;
            // Without TLS, anybody on the way could read and answer.
            if url.scheme() == "http" && !address.ip().is_loopback() {
                return Err(SendError::NotHttps);
            }
        }
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .https_only(url.scheme() == "https")
            .timeout(options.timeout)
            .dns_resolver(Arc::new(Pinned(addresses)))
            .user_agent(concat!("flowsift/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| SendError::Failed(reason(error)))?;
        Ok(Self { http, options })
    }

    /// Sends a request and reads the beginning of its answer.
    ///
    /// # Errors
    /// [`SendError::Failed`] when there is no status in time.
    pub(crate) async fn send(&self, request: &Request) -> Result<Answer, SendError> {
        let failed = |error| SendError::Failed(reason(error));
        let mut sent = self.http.post(request.url.clone()).body(request.body.clone());
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        let mut answer = sent.send().await.map_err(|error| match error.is_timeout() {
            true => SendError::Failed(format!("no answer within {} s", self.options.timeout.as_secs_f64())),
            false => failed(error),
        })?;
        let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        let whole = loop {
            match answer.chunk().await {
                Ok(Some(chunk)) => {
                    let room = MAX_ANSWER_BYTES - body.len();
                    body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                    if body.len() == MAX_ANSWER_BYTES {
                        break true;
                    }
                }
                Ok(None) => break true,
                // The status has told what became of the request; plain servers end a body without saying so.
                Err(_) => break false,
            }
        };
        Ok(Answer { status, retry_after, body, whole })
    }
}

/// Answers every question with the addresses that were checked, whatever the name: nothing else can be reached.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

/// Returns the text of an error and its causes, without the URL.
fn reason(error: reqwest::Error) -> String {
    flow::error_text(&error.without_url())
}
