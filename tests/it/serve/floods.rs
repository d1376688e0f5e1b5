//! What hostile, slow and broken clients do to a server: the others are served, and its memory stays within bounds.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::server::{Serving, said};

/// Memory that a server may take beyond `--memory`.
#[cfg(target_os = "linux")]
const SLACK_MB: u64 = 200;

/// The highest memory of a server so far, in MB.
#[cfg(target_os = "linux")]
fn peak_mb(server: &Serving) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1_000
}

/// The startup message of a client.
fn startup() -> Vec<u8> {
    let body = b"user\0flowsift\0\0";
    let mut message = (body.len() as u32 + 8).to_be_bytes().to_vec();
    message.extend(196_608u32.to_be_bytes());
    message.extend(body);
    message
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend((body.len() as u32 + 4).to_be_bytes());
    message.extend(body);
    message
}

/// Connects by hand to a server without a password.
fn come_in(server: &Serving) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&startup()).unwrap();
    let mut read = Vec::new();
    let mut byte = [0];
    // ReadyForQuery of an idle connection.
    while !read.ends_with(b"Z\0\0\0\x05I") {
        stream.read_exact(&mut byte).unwrap();
        read.push(byte[0]);
    }
    stream
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_statement_ends_the_server() {
    let server = Serving::start(&["--memory", "256MiB", "--timeout", "60s"]);
    let client = server.connect().await;
    for sql in [
        "SELECT max(length(repeat(srcaddr, 20000))) FROM flows",
        "SELECT length(lpad('x', 1500000000, 'y'))",
        "SELECT cardinality(range(0, 1000000000))",
        "SELECT count(*) FROM (SELECT unnest(range(0, 1000000000)))",
        "SELECT max(cardinality(array_repeat(srcaddr, 1000000))) FROM flows",
        "SELECT max(length(replace(repeat(srcaddr, 100), '1', repeat('x', 10000)))) FROM flows",
        "SELECT max(length(repeat(srcaddr, 2000) || repeat(dstaddr, 2000))) FROM flows",
        "SELECT repeat('x', 1000000) FROM flows",
    ] {
        let (code, text) = said(client.simple_query(sql).await);
        assert_eq!(code, "53200", "{sql}: {text}");
        assert!(text.contains("would make") && text.contains("--memory"), "{sql}: {text}");
    }
    let long = format!("SELECT count(*) FROM flows WHERE srcport IN ({}1)", "12345, ".repeat(300_000));
    assert_eq!(said(client.simple_query(&long).await).0, "54000");
    assert_eq!(said(client.prepare(&long).await).0, "54000");
    assert_eq!(client.query_one("SELECT 7", &[]).await.unwrap().get::<_, i64>(0), 7);
    let peak = peak_mb(&server);
    assert!(peak <= 268 + SLACK_MB, "{peak} MB");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn clients_that_do_not_read_stop_their_scans() {
    let server = Serving::start(&["--memory", "256MiB", "--no-password"]);
    let mut stalled: Vec<TcpStream> = Vec::new();
    for number in 0..20 {
        let mut stream = come_in(&server);
        let asked = match number % 2 {
            0 => message(b'Q', b"SELECT * FROM flows\0"),
            _ => [
                message(b'P', b"\0SELECT * FROM flows\0\0\0"),
                message(b'B', b"\0\0\0\0\0\0\0\0"),
                message(b'E', b"\0\0\0\0\0"),
                message(b'S', b""),
            ]
            .concat(),
        };
        stream.write_all(&asked).unwrap();
        stalled.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    let client = server.connect().await;
    for (sql, rows) in [
        ("SELECT count(*) FROM flows", 1),
        ("SELECT srcaddr, dstaddr, sum(bytes) FROM flows GROUP BY 1, 2 LIMIT 100", 100),
        ("SELECT * FROM flows ORDER BY bytes DESC, start LIMIT 100", 100),
    ] {
        assert_eq!(client.query(sql, &[]).await.unwrap().len(), rows, "{sql}");
    }
    // One that is read goes on to its last row beside those that are not.
    let rows = client.query("SELECT * FROM flows LIMIT 20000", &[]).await.unwrap();
    assert_eq!(rows.len(), 20_000);
    let peak = peak_mb(&server);
    assert!(peak <= 268 + SLACK_MB, "{peak} MB");
    drop(stalled);
}

#[tokio::test]
async fn sockets_that_say_nothing_keep_nobody_out() {
    let server = Serving::start(&[]);
    let known = server.connect().await;
    let silent: Vec<TcpStream> = (0..200).map(|_| TcpStream::connect(("127.0.0.1", server.port)).unwrap()).collect();
    let begun = Instant::now();
    let client = server.connect().await;
    assert!(begun.elapsed() < Duration::from_secs(8), "it waited {:?}", begun.elapsed());
    for one in [&client, &known] {
        assert_eq!(one.query_one("SELECT 7", &[]).await.unwrap().get::<_, i64>(0), 7);
    }
    // Those that had to go were told.
    let mut first = &silent[0];
    first.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut told = Vec::new();
    first.read_to_end(&mut told).unwrap();
    assert!(String::from_utf8_lossy(&told).contains("53300"), "{told:?}");
}

/// Whoever is refused reads why, even one that has sent more than the server reads.
#[tokio::test]
async fn the_refused_are_told_why() {
    let server = Serving::start(&["--connections", "1", "--no-password"]);
    let _place = come_in(&server);
    let refused: Vec<_> = (0..40)
        .map(|_| {
            let port = server.port;
            std::thread::spawn(move || {
                let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let ahead = message(b'Q', b"SELECT 1\0").repeat(1_000);
                stream.write_all(&[startup(), ahead].concat()).unwrap();
                let mut told = Vec::new();
                let read = stream.read_to_end(&mut told);
                (String::from_utf8_lossy(&told).contains("too many clients"), read.err())
            })
        })
        .collect();
    for one in refused {
        let (told, failed) = one.join().unwrap();
        assert!(told, "{failed:?}");
    }
}

/// A message of a length that nobody sends is refused when its header is read.
#[tokio::test]
async fn long_messages_are_not_waited_for() {
    let server = Serving::start(&["--no-password"]);
    for logged_in in [false, true] {
        let mut stream = match logged_in {
            true => come_in(&server),
            false => {
                let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
                stream.write_all(&8u32.to_be_bytes()).unwrap();
                // No encryption of this kind; the server says so and waits for a startup message.
                stream.write_all(&80_877_103u32.to_be_bytes()).unwrap();
                let mut answer = [0];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, [b'N']);
                stream
            }
        };
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let header = if logged_in { vec![b'Q', 0x3f, 0, 0, 0] } else { [0x3fu8, 0, 0, 0, 0, 3, 0, 0].to_vec() };
        stream.write_all(&header).unwrap();
        let mut told = Vec::new();
        stream.read_to_end(&mut told).unwrap();
        let told = String::from_utf8_lossy(&told).into_owned();
        assert!(told.contains("a message of") || !logged_in, "{told}");
    }
}
