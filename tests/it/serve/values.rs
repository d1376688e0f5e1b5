//! Values, parameters, prepared statements and cursors.

use futures::TryStreamExt;
use tokio_postgres::SimpleQueryMessage;
use tokio_postgres::types::{ToSql, Type};

use super::server::{Serving, said};

/// The rows of a simple query as text, cells apart by `|`.
pub async fn texts(client: &tokio_postgres::Client, sql: &str) -> Vec<String> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    let rows = messages.into_iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL")).collect::<Vec<_>>().join("|"))
        }
        _ => None,
    });
    rows.collect()
}

#[tokio::test]
async fn values_come_in_text_and_in_binary() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let sql = "SELECT bytes, port, protocol, start, outbound, host, sublocation_id, bytes / 3.0 AS third \
               FROM flows WHERE host = '10.0.44.5' AND outbound ORDER BY start, bytes LIMIT 1";
    let by_text = texts(&client, sql).await;
    let row = client.query_one(sql, &[]).await.unwrap();
    let types: Vec<&Type> = row.columns().iter().map(tokio_postgres::Column::type_).collect();
    let expected =
        [Type::INT8, Type::INT4, Type::INT4, Type::TIMESTAMPTZ, Type::BOOL, Type::TEXT, Type::TEXT, Type::FLOAT8];
    assert_eq!(types, expected.iter().collect::<Vec<_>>());
    let time: std::time::SystemTime = row.get(3);
    let seconds = time.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!((1_700_611_200..1_700_697_600).contains(&seconds), "{seconds}");
    let cells: Vec<&str> = by_text[0].split('|').collect();
    assert_eq!(cells[0], row.get::<_, i64>(0).to_string());
    assert_eq!(cells[1], row.get::<_, Option<i32>>(1).unwrap().to_string());
    assert!(cells[3].starts_with("2023-11-22 ") && cells[3].contains("+00"), "{}", cells[3]);
    assert_eq!((cells[4], row.get::<_, bool>(4)), ("t", true));
    assert_eq!((cells[5], row.get::<_, &str>(5)), ("10.0.44.5", "10.0.44.5"));
    assert_eq!((cells[6], row.get::<_, Option<&str>>(6)), ("NULL", None));
    assert!((cells[7].parse::<f64>().unwrap() - row.get::<_, f64>(7)).abs() < 1e-9);
}

#[tokio::test]
async fn columns_are_named_as_postgres_names_calls() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let names = |statement: &tokio_postgres::Statement| -> Vec<String> {
        statement.columns().iter().map(|column| column.name().to_owned()).collect()
    };
    let sql = "SELECT action, count(*), host || NULL, $1::int + 1 FROM flows WHERE port = $1 GROUP BY 1, 3 ORDER BY count DESC";
    let statement = client.prepare(sql).await.unwrap();
    assert_eq!(names(&statement), ["action", "count", "host || NULL", "$1::int + 1"]);
    assert!(!client.query(&statement, &[&443]).await.unwrap().is_empty());
    let twice = client.prepare("SELECT sum(bytes), sum(bytes), max(bytes) FROM flows").await.unwrap();
    assert_eq!(names(&twice), ["sum(bytes)", "sum(bytes)", "max"]);
    let catalogue = client.prepare("SELECT relname, relname, count(*) FROM pg_class GROUP BY 1 ORDER BY count").await;
    assert_eq!(names(&catalogue.unwrap()), ["relname", "relname", "count"]);
    assert_eq!(texts(&client, "FROM hosts SELECT count(*) > 0").await, ["t"]);
    assert_eq!(texts(&client, "SUMMARIZE SELECT 1 AS n").await, ["n|bigint|1|1|1|1.0|NULL|1.0|1.0|1.0|1|0"]);
}

#[tokio::test]
async fn structs_are_json_and_lists_are_arrays() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let sql =
        "SELECT beacon(start) AS b FROM flows WHERE host = '10.0.44.5' AND remote = '135.76.202.223' AND outbound";
    let found = texts(&client, sql).await;
    let beacon: serde_json::Value = serde_json::from_str(&found[0]).unwrap();
    assert!((beacon["period_s"].as_f64().unwrap() - 75.0).abs() < 5.0, "{beacon}");
    let statement = client.prepare(sql).await.unwrap();
    assert_eq!(statement.columns()[0].type_(), &Type::JSON);
    let found =
        texts(&client, "SELECT starts FROM pair_hours WHERE host = '10.0.44.5' ORDER BY connections DESC LIMIT 1")
            .await;
    assert!(found[0].starts_with('{') && found[0].ends_with('}'), "{found:?}");
    let sql = "SELECT array_agg(DISTINCT host ORDER BY host) FROM flows WHERE remote = '135.76.202.223'";
    let row = client.query_one(sql, &[]).await.unwrap();
    assert_eq!(row.get::<_, Vec<&str>>(0), ["10.0.44.5"]);
}

#[tokio::test]
async fn parameters_are_values_and_never_sql() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let sql = "SELECT count(*) FROM flows WHERE host = $1 AND bytes >= $2 AND start BETWEEN $3 AND $4";
    let time = |seconds: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let (from, to) = (time(1_700_611_200), time(1_700_697_600));
    let parameters: [&(dyn ToSql + Sync); 4] = [&"10.0.44.5", &0_i64, &from, &to];
    let all: i64 = client.query_one(sql, &parameters).await.unwrap().get(0);
    assert!(all > 100);
    let parameters: [&(dyn ToSql + Sync); 4] = [&"10.0.44.5' OR '1' = '1", &0_i64, &from, &to];
    assert_eq!(client.query_one(sql, &parameters).await.unwrap().get::<_, i64>(0), 0);
    // Where nothing else tells, a parameter is a text.
    for (sql, value) in [
        ("SELECT $1", "a"),
        ("SELECT upper($1)", "A"),
        ("SELECT $1 || '!'", "a!"),
        ("SELECT protocol_name(6) || $1", "tcpa"),
    ] {
        let row = client.query_one(sql, &[&"a"]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        assert_eq!(row.get::<_, &str>(0).to_lowercase(), value.to_lowercase(), "{sql}");
    }
    let row = client.query_one("SELECT cidr_contains($1, '10.0.44.5')", &[&"10.0.0.0/8"]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    let rows = client.query("SELECT host FROM hosts ORDER BY host LIMIT $1", &[&3_i64]).await.unwrap();
    assert_eq!(rows.len(), 3);
    let missing: Option<&str> = None;
    let row = client.query_one("SELECT count(*) FROM flows WHERE host = $1", &[&missing]).await.unwrap();
    assert_eq!(row.get::<_, i64>(0), 0);
    assert_eq!(said(client.simple_query("SELECT $1").await).0, "42P02");
}

#[tokio::test]
async fn rows_come_a_few_at_a_time() {
    let server = Serving::start(&[]);
    let mut client = server.connect().await;
    let sql = "SELECT start, host FROM flows ORDER BY start, host LIMIT 1000";
    let transaction = client.transaction().await.unwrap();
    let portal = transaction.bind(sql, &[]).await.unwrap();
    assert_eq!(transaction.query_portal(&portal, 300).await.unwrap().len(), 300);
    assert_eq!(transaction.query_portal(&portal, i32::MAX).await.unwrap().len(), 700);
    transaction.batch_execute(&format!("DECLARE \"the cursor\" CURSOR FOR {sql}")).await.unwrap();
    let mut count = 0;
    loop {
        let rows = transaction.query("FETCH FORWARD 400 FROM \"the cursor\"", &[]).await.unwrap();
        count += rows.len();
        if rows.len() < 400 {
            break;
        }
    }
    assert_eq!(count, 1_000);
    transaction.batch_execute("CLOSE \"the cursor\"").await.unwrap();
    transaction.commit().await.unwrap();
    assert_eq!(said(client.simple_query("FETCH 1 FROM \"the cursor\"").await).0, "34000");
    // A long result is passed through, not held.
    let rows = client.query_raw("SELECT start, host, bytes FROM flows", Vec::<i32>::new()).await.unwrap();
    assert_eq!(rows.try_fold(0, async |count, _| Ok(count + 1)).await.unwrap(), 149_984);
}

#[tokio::test]
async fn several_statements_come_in_one_message() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let found = texts(&client, "BEGIN; SELECT 1 AS a; SELECT 'x;y' AS b; COMMIT").await;
    assert_eq!(found, ["1", "x;y"]);
    assert_eq!(texts(&client, "").await, Vec::<String>::new());
    assert_eq!(texts(&client, " ; -- nothing\n;").await, Vec::<String>::new());
    let plan = texts(&client, "EXPLAIN SELECT count(*) FROM flows").await.join("\n");
    assert!(plan.contains("FlowsExec"), "{plan}");
    let ran = texts(&client, "EXPLAIN ANALYZE SELECT count(*) FROM flows WHERE hour = 13").await.join("\n");
    assert!(ran.contains("pruned_objects=23") && ran.contains("bytes_read"), "{ran}");
}
