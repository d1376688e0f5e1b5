//! `flowsift serve` as clients meet it: who comes in, what they may ask, what ends a query.

#[path = "serve/catalogue.rs"]
mod catalogue;
#[path = "serve/drivers.rs"]
mod drivers;
#[path = "serve/endings.rs"]
mod endings;
#[path = "serve/floods.rs"]
mod floods;
#[path = "serve/server.rs"]
mod server;
#[path = "serve/values.rs"]
mod values;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

use tokio_postgres::NoTls;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;

use crate::program::{flowsift, scratch};
use server::{DEMO, PASSWORD, Serving, said};

#[tokio::test]
async fn the_password_decides_who_comes_in() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let row = client.query_one("SELECT count(*) FROM flows WHERE action = 'ACCEPT'", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 148_018);
    for (user, password) in [("flowsift", "wrong"), ("postgres", PASSWORD), ("flowsift", "")] {
        let mut config = server.config();
        let failed = config.user(user).password(password).connect(NoTls).await.err().unwrap();
        assert_eq!(failed.code(), Some(&SqlState::INVALID_PASSWORD), "{user}: {failed:?}");
        let message = failed.as_db_error().unwrap().message();
        assert_eq!(message, format!("password authentication failed for user \"{user}\""));
    }
    let without = tokio_postgres::Config::new().host("127.0.0.1").port(server.port).user("flowsift").clone();
    assert!(without.connect(NoTls).await.is_err(), "no password at all");
}

#[tokio::test]
async fn a_made_password_is_printed_once_and_works() {
    let server = Serving::start_without_password(&[]);
    let line = server.lines.iter().find(|line| line.starts_with("password of ")).unwrap();
    let password = line.rsplit(' ').next().unwrap().to_owned();
    assert!(password.len() >= 20, "{line}");
    let mut config = server.config();
    assert!(config.password(&password).connect(NoTls).await.is_ok());
    assert!(config.password(PASSWORD).connect(NoTls).await.is_err());
}

#[tokio::test]
async fn a_file_may_hold_the_password_and_loopback_may_do_without() {
    let folder = scratch();
    let file = folder.path().join("password");
    std::fs::write(&file, "of the file\n").unwrap();
    let server = Serving::start_without_password(&["--password-file", file.to_str().unwrap(), "--user", "hunter"]);
    let mut config = server.config();
    assert!(config.user("hunter").password("of the file").connect(NoTls).await.is_ok());
    let server = Serving::start_without_password(&["--no-password"]);
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(server.port).user("anyone");
    let (client, connection) = config.connect(NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SELECT current_user", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "anyone");
}

#[test]
fn other_machines_are_let_in_only_when_told_so() {
    for (args, part) in [
        (&["--postgres", "0.0.0.0:0"][..], "--allow-remote"),
        (&["--postgres", "0.0.0.0:0", "--allow-remote", "--no-password"], "only on loopback"),
        (&["--postgres", "127.0.0.1"], "expected an address and a port"),
        (&["--tls-cert", "cert.pem"], "--tls-key"),
        (&["--tls-cert", "/nonexistent", "--tls-key", "/nonexistent"], "/nonexistent"),
        (&["--password-file", "/nonexistent"], "/nonexistent"),
    ] {
        let ran = flowsift([&["serve", DEMO], args].concat()).expect(2);
        assert!(ran.err.contains(part), "{args:?}: {}", ran.err);
    }
    flowsift(["serve"]).expect(2);
}

#[tokio::test]
async fn with_a_certificate_nobody_talks_in_the_clear() {
    let folder = scratch();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = Serving::start(&["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()]);
    let failed = server.config().ssl_mode(SslMode::Disable).connect(NoTls).await.err().unwrap();
    assert_eq!(failed.code(), Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION), "{failed:?}");

    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let ring = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let config = tokio_rustls::rustls::ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut stream, &[0, 0, 0, 8, 4, 210, 22, 47]).await.unwrap();
    let mut answer = [0];
    tokio::io::AsyncReadExt::read_exact(&mut stream, &mut answer).await.unwrap();
    assert_eq!(&answer, b"S");
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
    // The stream is encrypted already, so the client shall not ask for it.
    let connected = server.config().ssl_mode(SslMode::Disable).connect_raw(stream, NoTls).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SELECT 1 + 1", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 2);
}

#[test]
fn nobody_asks_before_coming_in() {
    let server = Serving::start(&[]);
    let startup = b"\0\x03\0\0user\0flowsift\0\0";
    let mut message = (startup.len() as u32 + 4).to_be_bytes().to_vec();
    message.extend_from_slice(startup);
    let query = b"SELECT count(*) FROM flows\0";
    let mut ask = vec![b'Q'];
    ask.extend_from_slice(&(query.len() as u32 + 4).to_be_bytes());
    ask.extend_from_slice(query);
    // A query in the place of the password, then again in case an error opened the door.
    for messages in [[&message[..], &ask, &ask].concat(), [&ask[..], &message].concat()] {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(&messages).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let text = String::from_utf8_lossy(&answer);
        assert!(!text.contains("149984") && !text.contains("SELECT 1"), "{text}");
        assert!(answer.is_empty() || text.contains("FATAL"), "{text}");
    }
}

#[tokio::test]
async fn nothing_but_reading_is_done() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    for sql in [
        "CREATE TABLE t (a INT)",
        "CREATE VIEW v AS SELECT 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "INSERT INTO flows VALUES (1)",
        "UPDATE findings SET host = 'x'",
        "DELETE FROM findings",
        "DROP TABLE flows",
        "DROP TABLE pg_catalog.pg_class",
        "TRUNCATE findings",
        "COPY flows TO '/tmp/flows.csv'",
        "COPY (SELECT 1) TO '/tmp/one.csv'",
        "SELECT 1 AS a INTO t",
        "EXPLAIN ANALYZE INSERT INTO findings SELECT * FROM findings",
        "PREPARE p AS SELECT 1",
        "GRANT ALL ON flows TO PUBLIC",
    ] {
        let (code, text) = said(client.simple_query(sql).await);
        assert!(code == "25006" || code == "0A000", "{sql}: {code} {text}");
        assert!(client.prepare(sql).await.is_err(), "{sql}");
    }
    for sql in ["SET datafusion.execution.batch_size = 1", "SET datafusion.catalog.location = '/etc'"] {
        assert_eq!(said(client.simple_query(sql).await).0, "42501", "{sql}");
    }
    for file in ["/etc/passwd", "/etc/hosts", "Cargo.toml", "datasets/demo/labels.csv"] {
        let (code, text) = said(client.simple_query(&format!("SELECT * FROM '{file}'")).await);
        assert_eq!(code, "42P01", "{file}: {text}");
    }
    assert!(!std::path::Path::new("/tmp/one.csv").exists());
    let row = client.query_one("SELECT count(*) FROM findings", &[]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
}

#[tokio::test]
async fn files_are_read_when_that_is_allowed() {
    let folder = scratch();
    let file = folder.path().join("assets.csv");
    std::fs::write(&file, "host,team\n10.0.44.5,payments\n").unwrap();
    let server = Serving::start(&["--allow-files"]);
    let client = server.connect().await;
    let sql = format!("SELECT team, count(*) FROM flows JOIN '{}' USING (host) GROUP BY team", file.display());
    let row = client.query_one(&sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), "payments");
    assert!(row.get::<_, i64>(1) > 100);
}

#[tokio::test]
async fn mistakes_have_a_code_a_place_and_a_hint() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    for (sql, code, position, hint) in [
        ("SELECT bytes,\n  srcadr\nFROM flows", "42703", Some(17), "did you mean `srcaddr`?"),
        ("SELECT 1; SELECT 1 FROM flow", "42P01", Some(25), "did you mean `flows`?"),
        ("SELECT human_byte(1)", "42883", Some(8), "did you mean `human_bytes`?"),
        ("SELEC 1", "42601", Some(1), "did you mean `SELECT`?"),
        ("SELECT 1/0", "22012", None, ""),
        ("SELECT CAST('x' AS INT)", "22P02", Some(13), ""),
    ] {
        let failed = client.simple_query(sql).await.err().unwrap();
        let said = failed.as_db_error().unwrap_or_else(|| panic!("{failed:?}"));
        assert_eq!(said.code().code(), code, "{sql}: {said:?}");
        let place = match said.position() {
            Some(tokio_postgres::error::ErrorPosition::Original(place)) => Some(*place),
            _ => None,
        };
        assert_eq!(place, position, "{sql}");
        assert_eq!(said.hint().unwrap_or_default(), hint, "{sql}");
    }
    // In a transaction nothing follows an error but its end.
    client.batch_execute("BEGIN").await.unwrap();
    assert_eq!(said(client.simple_query("SELECT nothing FROM flows").await).0, "42703");
    assert_eq!(said(client.simple_query("SELECT 1").await).0, "25P02");
    client.batch_execute("ROLLBACK; SELECT 1").await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_read_is_said() {
    let folder = scratch();
    let broken = folder.path().join("123456789012_vpcflowlogs_us-east-1_fl-1_20231122T0300Z_h.log.parquet");
    std::fs::write(&broken, b"PAR1 this is no Parquet PAR1").unwrap();
    let server = Serving::start(&[folder.path().to_str().unwrap()]);
    let (client, mut notices) = server.connect_with_notices().await;
    client.batch_execute("SELECT count(*) FROM flows").await.unwrap();
    let notice = notices.recv().await.unwrap();
    assert!(notice.message().contains("1 object could not be read"), "{notice:?}");
    assert!(notice.detail().unwrap().contains("fl-1_20231122T0300Z"), "{notice:?}");
}
