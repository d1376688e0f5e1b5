//! A receiver on loopback that answers by a script, and runs to tell it about.

use flow::Severity;
use flowsift_sink::{IncidentView, Moment, Pace, RunView, Sink};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the receiver does with a request.
#[derive(Clone, Copy, Debug)]
pub enum Reply {
    /// Answers with a status.
    Status(u16),
    /// Answers 429 with `Retry-After`.
    RetryAfter(u64),
    /// Answers 302.
    Redirect,
    /// Reads and never answers.
    Stall,
    /// Hangs up without an answer.
    Cut,
    /// Hangs up in the middle of its answer.
    CutBody,
    /// Answers 200 with a body made from the request.
    Answer(fn(&Came) -> String),
}

/// A request that came in.
#[derive(Clone, Debug)]
pub struct Came {
    head: String,
    /// Its body.
    pub body: String,
}

impl Came {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> &str {
        let of = |line: &&str| line.split_once(':').is_some_and(|(one, _)| one.eq_ignore_ascii_case(name));
        self.head.lines().find(of).and_then(|line| line.split_once(':')).map_or("", |(_, value)| value.trim())
    }
}

/// A receiver that follows its script, then answers 200 to everything.
pub struct Receiver {
    /// Its port on 127.0.0.1.
    pub port: u16,
    came: Arc<Mutex<Vec<Came>>>,
}

impl Receiver {
    pub async fn start(script: Vec<Reply>) -> Self {
        Self::with(script, Reply::Status(200)).await
    }

    /// Starts one that does `then` after its script.
    pub async fn with(script: Vec<Reply>, then: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let came = Arc::new(Mutex::new(Vec::new()));
        let (seen, mut script) = (came.clone(), script.into_iter());
        tokio::spawn(async move {
            let mut stalled = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let Some(request) = read(&mut stream).await else { continue };
                seen.lock().unwrap().push(request.clone());
                let answer = match script.next().unwrap_or(then) {
                    Reply::Answer(made) => {
                        let body = made(&request);
                        format!("HTTP/1.1 200 X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
                    }
                    Reply::Status(status) => {
                        format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
                    }
                    Reply::RetryAfter(s) => {
                        format!("HTTP/1.1 429 X\r\nretry-after: {s}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                    }
                    Reply::Redirect => {
                        format!(
                            "HTTP/1.1 302 X\r\nlocation: http://127.0.0.1:{port}/other\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
                        )
                    }
                    Reply::CutBody => "HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\nhalf".to_owned(),
                    Reply::Cut => continue,
                    Reply::Stall => {
                        stalled.push(stream);
                        continue;
                    }
                };
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { port, came }
    }

    pub fn requests(&self) -> Vec<Came> {
        self.came.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Came> {
    let (mut bytes, mut chunk) = (Vec::new(), vec![0; 1 << 16]);
    let mut awaited = None;
    loop {
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        if awaited.is_none() {
            let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let came = Came { head, body: String::new() };
            let length = came.header("content-length").parse::<usize>().unwrap_or(0);
            awaited = Some((came, end + 4, end + 4 + length));
        }
        if let Some((came, begin, _)) = awaited.take_if(|(_, _, end)| bytes.len() >= *end) {
            return Some(Came { body: String::from_utf8_lossy(&bytes[begin..]).into_owned(), ..came });
        }
    }
}

/// Returns the sink of a receiver, without signs of life.
pub fn webhook(receiver: &Receiver, more: &str) -> Sink {
    let quiet = if more.contains("heartbeat") { "" } else { "&heartbeat=off" };
    Sink::parse(&format!("http://127.0.0.1:{}/in?body=json{quiet}{more}", receiver.port)).unwrap()
}

/// Returns a pace for tests.
pub fn pace() -> Pace {
    Pace {
        tries: 3,
        wait: Duration::from_millis(5),
        most_wait: Duration::from_millis(20),
        budget: Duration::from_secs(4),
        between: Duration::ZERO,
    }
}

/// Returns an open incident.
pub fn incident(id: char, revision: u32, severity: Severity) -> IncidentView {
    IncidentView {
        id: id.to_string().repeat(32),
        revision,
        status: "open".to_owned(),
        change: "opened".to_owned(),
        title: "10.0.0.1 calls 192.0.2.7".to_owned(),
        severity,
        opened_at: Moment(1_713_571_200),
        updated_at: Moment(1_713_571_200 + i64::from(revision)),
        ..IncidentView::default()
    }
}

/// Returns a run that knows some incidents.
pub fn run(incidents: &[IncidentView]) -> RunView {
    RunView { window_to_s: Some(1_713_571_200), incidents: incidents.to_vec(), ..RunView::default() }
}
