//! What ends a query, a connection and the server.

use std::time::{Duration, Instant};

use tokio::time::timeout;
use tokio_postgres::NoTls;

use super::server::{Serving, said};

/// A query that takes hours, in an operator that seldom pauses.
const ENDLESS: &str = "SELECT count(*) FROM flows a JOIN flows b ON a.bytes + b.bytes = 1";
/// What must be over by then, however slow the machine.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_client_cancels_its_query_and_keeps_its_connection() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let token = client.cancel_token();
    let cancel = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        token.cancel_query(NoTls).await.unwrap();
    };
    let (ended, ()) = tokio::join!(timeout(SOON, client.simple_query(ENDLESS)), cancel);
    let (code, text) = said(ended.unwrap());
    assert_eq!((code.as_str(), text.as_str()), ("57014", "canceling statement due to user request"));
    // So does one that asks with the extended protocol; what comes after is not meant.
    let (ended, ()) = tokio::join!(timeout(SOON, client.query(ENDLESS, &[])), async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        token.cancel_query(NoTls).await.unwrap();
    });
    assert_eq!(said(ended.unwrap()).0, "57014");
    token.cancel_query(NoTls).await.unwrap();
    // As with Postgres the request is under way when it was sent.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(client.query_one("SELECT count(*) FROM hosts", &[]).await.unwrap().get::<_, i64>(0), 110);
}

/// What a cancelled query did not read to its end can be read: neither it nor any later query says otherwise.
#[tokio::test]
async fn a_cancelled_query_says_nothing_about_objects() {
    let server = Serving::start(&[]);
    let (client, mut notices) = server.connect_with_notices().await;
    let token = client.cancel_token();
    for pause in (0..10).map(|step| Duration::from_millis(20 + 40 * step)) {
        let asked = client.simple_query("SELECT * FROM flows ORDER BY bytes DESC, host, \"end\"");
        let (_, ()) = tokio::join!(timeout(SOON, asked), async {
            tokio::time::sleep(pause).await;
            token.cancel_query(NoTls).await.unwrap();
        });
        // The request may arrive after the end of the query: what comes next may be cancelled, too.
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for sql in ["SELECT count(*) FROM flows", "SELECT count(*) FROM hosts"] {
        client.simple_query(sql).await.unwrap();
    }
    let told = std::iter::from_fn(|| notices.try_recv().ok()).find(|notice| notice.message().contains("read"));
    assert!(told.is_none(), "{told:?}");
}

#[tokio::test]
async fn a_query_that_takes_too_long_is_ended() {
    let server = Serving::start(&["--timeout", "2s"]);
    let client = server.connect().await;
    let (code, text) = said(timeout(SOON, client.simple_query(ENDLESS)).await.unwrap());
    assert!(code == "57014" && text.contains("timeout of 2 s"), "{code} {text}");
    client.batch_execute("SET statement_timeout = '300ms'").await.unwrap();
    let (code, text) = said(timeout(SOON, client.simple_query(ENDLESS)).await.unwrap());
    assert!(code == "57014" && text.contains("timeout of 0.3 s"), "{code} {text}");
    client.batch_execute("SET statement_timeout = 0; SELECT 1").await.unwrap();
}

#[tokio::test]
async fn a_cursor_that_nobody_fetches_from_is_ended() {
    let server = Serving::start(&["--timeout", "2s"]);
    let client = server.connect().await;
    let threads = || std::fs::read_dir(format!("/proc/{}/task", server.child.id())).map_or(0, Iterator::count);
    client.batch_execute("BEGIN; DECLARE slow CURSOR FOR SELECT * FROM flows; FETCH 1 FROM slow").await.unwrap();
    let busy = threads();
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Its threads are gone before it is asked again.
    assert!(threads() < busy || busy == 0, "{busy} threads stay");
    let (code, text) = said(client.simple_query("FETCH 1 FROM slow").await);
    assert!(code == "57014" && text.contains("timeout of 2 s"), "{code} {text}");
    client.batch_execute("ROLLBACK").await.unwrap();
}

#[tokio::test]
async fn few_cursors_are_under_way_at_a_time() {
    let server = Serving::start(&[]);
    let mut client = server.connect().await;
    for at in 0..8 {
        let sql = format!("DECLARE c{at} CURSOR FOR SELECT * FROM flows; FETCH 1 FROM c{at}");
        client.batch_execute(&sql).await.unwrap();
    }
    client.batch_execute("DECLARE more CURSOR FOR SELECT * FROM flows").await.unwrap();
    assert_eq!(said(client.simple_query("FETCH 1 FROM more").await).0, "53000");
    client
        .batch_execute("CLOSE c3; FETCH 1 FROM c4; DECLARE more CURSOR FOR SELECT 1; FETCH 2 FROM more")
        .await
        .unwrap();
    client.batch_execute("CLOSE ALL").await.unwrap();
    // What a transaction binds ends with it, and so does what is bound outside of one.
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind("SELECT * FROM flows", &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 3).await.unwrap().len(), 3);
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_query() {
    let server = Serving::start(&["--connections", "1", "--timeout", "0s"]);
    let (client, connection) = server.config().connect(NoTls).await.unwrap();
    let running = tokio::spawn(connection);
    let asked = tokio::spawn(async move { client.simple_query(ENDLESS).await.map(drop) });
    tokio::time::sleep(Duration::from_millis(700)).await;
    // There is one place, and it is taken.
    let (code, _) = said(server.config().connect(NoTls).await.map(drop));
    assert_eq!(code, "53300");
    running.abort();
    asked.abort();
    let begun = Instant::now();
    loop {
        if server.config().connect(NoTls).await.is_ok() {
            break;
        }
        assert!(begun.elapsed() < SOON, "the query of a client that is gone goes on");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn limits_of_bytes_and_rows_hold() {
    let server = Serving::start(&["--max-bytes", "200kB", "--max-rows", "100"]);
    let client = server.connect().await;
    for sql in ["SELECT count(*) FROM flows", "SELECT count(*) FROM pairs"] {
        let (code, text) = said(client.simple_query(sql).await);
        assert!(code == "53400" && text.contains("--max-bytes allows 200 KB"), "{sql}: {code} {text}");
    }
    client.batch_execute("SELECT count(*) FROM flows WHERE hour = 3").await.unwrap();
    assert_eq!(said(client.simple_query("SELECT host FROM flows WHERE hour = 3").await).0, "54000");
    client.batch_execute("SELECT host FROM flows WHERE hour = 3 LIMIT 100").await.unwrap();
}

#[tokio::test]
async fn many_ask_at_once_and_deep_statements_do_no_harm() {
    let server = Serving::start(&[]);
    let clients = futures::future::join_all((0..8).map(|_| server.connect())).await;
    let asked = clients.iter().map(|client| client.query_one("SELECT sum(bytes_out)::bigint FROM pairs", &[]));
    let sums = futures::future::try_join_all(asked).await.unwrap();
    let sums: Vec<i64> = sums.iter().map(|row| row.get(0)).collect();
    assert!(sums.iter().all(|sum| *sum == sums[0] && *sum > 0), "{sums:?}");
    let chained = |count: usize| format!("SELECT count(*) FROM flows WHERE {}", vec!["bytes=1"; count].join(" OR "));
    for (deep, expected) in [
        (format!("SELECT {}", vec!["1"; 20_000].join("+")), "54001"),
        (format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000)), "42601"),
        (chained(5_000), "54001"),
        // As much as is let through.
        (chained(800), ""),
        (format!("SELECT {}", vec!["1"; 2_400].join("+")), ""),
        (format!("SELECT 1{}", "::bigint".repeat(1_200)), ""),
        (format!("SELECT 1 WHERE '1'{}", "||'1'".repeat(2_400) + " <> ''"), ""),
        (vec!["SELECT 1"; 800].join(" UNION ALL "), ""),
    ] {
        let ended = timeout(2 * SOON, clients[0].simple_query(&deep)).await.unwrap();
        let code = ended.err().and_then(|failed| failed.code().map(|code| code.code().to_owned()));
        assert_eq!(code.unwrap_or_default(), expected, "{}", &deep[..60]);
        server.connect().await.batch_execute("SELECT 1").await.unwrap();
    }
}

#[cfg(unix)]
mod signals {
    use super::super::values::texts;
    use super::*;
    use std::process::Command;

    fn kill(server: &Serving, signal: &str) {
        let pid = server.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }

    async fn exit_code(server: &mut Serving) -> Option<i32> {
        let begun = Instant::now();
        loop {
            if let Some(status) = server.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begun.elapsed() < SOON, "the server does not end");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    #[tokio::test]
    async fn a_running_query_ends_before_the_server_does() {
        let mut server = Serving::start(&["--grace", "60s"]);
        let (idle, busy) = (server.connect().await, server.connect().await);
        let sql = "SELECT count(*) FROM flows a JOIN flows b ON a.host = b.host AND a.port = b.port WHERE a.bytes < 90";
        let asked = tokio::spawn(async move { texts(&busy, sql).await });
        tokio::time::sleep(Duration::from_millis(500)).await;
        kill(&server, "-TERM");
        assert!(asked.await.unwrap()[0].parse::<i64>().unwrap() > 0, "it had its time");
        assert_eq!(exit_code(&mut server).await, Some(0));
        assert!(idle.simple_query("SELECT 1").await.is_err());
    }

    #[tokio::test]
    async fn after_the_time_of_grace_a_query_is_ended() {
        let mut server = Serving::start(&["--grace", "1s"]);
        let client = server.connect().await;
        let asked = tokio::spawn(async move { client.simple_query(ENDLESS).await.map(drop) });
        tokio::time::sleep(Duration::from_millis(500)).await;
        kill(&server, "-INT");
        let (code, text) = said(timeout(SOON, asked).await.unwrap().unwrap());
        assert!(code == "57P01" && text.contains("shutting down"), "{code} {text}");
        assert_eq!(exit_code(&mut server).await, Some(130));
    }
}
