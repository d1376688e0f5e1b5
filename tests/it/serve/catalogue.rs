//! What clients ask before their users do: psql, Grafana, DBeaver, drivers.

use super::server::{Serving, said};
use super::values::texts;

#[tokio::test]
async fn clients_find_out_whom_they_talk_to() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    for (sql, expected) in [
        ("SELECT version()", "PostgreSQL 15.0 (flowsift"),
        ("select pg_catalog.version()", "PostgreSQL 15.0 (flowsift"),
        ("SHOW server_version_num", "150000"),
        ("SHOW server_version", "15.0"),
        ("SELECT current_setting('server_version_num')::int/100 AS version", "1500"),
        ("SHOW transaction_isolation", "read committed"),
        ("SHOW TRANSACTION ISOLATION LEVEL", "read committed"),
        ("show standard_conforming_strings", "on"),
        ("SELECT current_database()", "flowsift"),
        ("SELECT current_schema()", "public"),
        ("SELECT current_user", "flowsift"),
        ("SELECT session_user", "flowsift"),
        ("SELECT pg_is_in_recovery()", "f"),
        ("SHOW TimeZone", "UTC"),
    ] {
        let found = texts(&client, sql).await;
        assert!(found[0].starts_with(expected), "{sql}: {found:?}");
    }
    let one: i32 = client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    let other: i32 = server.connect().await.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_ne!(one, other);
    for sql in [
        "SET client_encoding TO 'UTF8'",
        "SET extra_float_digits = 3",
        "SET application_name = 'grafana'",
        "SET DateStyle = 'ISO'",
        "SET TIME ZONE 'UTC'",
        "SET search_path TO public",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET statement_timeout TO 30000",
        "BEGIN READ ONLY",
        "SAVEPOINT a",
        "RELEASE SAVEPOINT a",
        "COMMIT",
        "BEGIN",
        "ROLLBACK",
        "ABORT",
        "DISCARD ALL",
        "DEALLOCATE ALL",
        "RESET ALL",
        "SELECT pg_advisory_unlock_all(); CLOSE ALL; UNLISTEN *; RESET ALL;",
        "SELECT set_config('search_path', 'public', false)",
        "SHOW ALL",
    ] {
        client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
    assert_eq!(said(client.simple_query("SHOW no_such_setting").await).0, "42704");
    client.batch_execute("SET application_name = 'mine'").await.unwrap();
    assert_eq!(texts(&client, "SHOW application_name").await, ["mine"]);
    assert_eq!(texts(&server.connect().await, "SELECT current_setting('application_name')").await, [""]);
}

#[tokio::test]
async fn psql_lists_and_describes_tables() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    // As psql 15 asks for \dt, \d and \d flows.
    let tables = texts(&client, include_str!("psql_dt.sql")).await;
    assert!(tables.iter().any(|row| row.starts_with("public|flows|table|")), "{tables:?}");
    assert!(tables.iter().any(|row| row.starts_with("public|pair_hours|table|")), "{tables:?}");
    assert!(!tables.iter().any(|row| row.contains("pg_")), "{tables:?}");
    let found = texts(&client, &include_str!("psql_oid.sql").replace("$1", "flows")).await;
    assert_eq!(found.len(), 1, "{found:?}");
    let oid = found[0].split('|').next().unwrap();
    for (name, sql) in [
        ("relation", include_str!("psql_relation.sql")),
        ("policies", include_str!("psql_policies.sql")),
        ("statistics", include_str!("psql_statistics.sql")),
        ("publications", include_str!("psql_publications.sql")),
        ("inherits", include_str!("psql_inherits.sql")),
        ("children", include_str!("psql_children.sql")),
    ] {
        let found = texts(&client, &sql.replace("$1", oid)).await;
        assert!(name != "relation" || found.len() == 1, "{name}: {found:?}");
    }
    let columns = texts(&client, &include_str!("psql_columns.sql").replace("$1", oid)).await;
    assert!(columns.iter().any(|row| row.starts_with("start|timestamp with time zone|")), "{columns:?}");
    assert!(columns.iter().any(|row| row.starts_with("bytes|bigint|")), "{columns:?}");
}

#[tokio::test]
async fn grafana_finds_tables_times_and_buckets() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let tables = texts(&client, include_str!("grafana_tables.sql")).await;
    assert!(tables.iter().any(|row| row.ends_with("flows")), "{tables:?}");
    let columns = texts(&client, include_str!("grafana_columns.sql")).await;
    assert!(columns.contains(&"start|timestamp with time zone".to_owned()), "{columns:?}");
    assert!(columns.contains(&"bytes|bigint".to_owned()), "{columns:?}");
    texts(&client, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").await;
    // $__timeFilter and $__timeGroup as they are sent; the literals prune as times do.
    let filter = "\"start\" BETWEEN '2023-11-22T00:00:00Z' AND '2023-11-22T06:00:00Z'";
    let sql = format!(
        "SELECT floor(extract(epoch from \"start\")/300)*300 AS \"time\", sum(bytes) AS bytes \
         FROM flows WHERE {filter} GROUP BY 1 ORDER BY 1"
    );
    let buckets = texts(&client, &sql).await;
    assert!((72..=73).contains(&buckets.len()), "{} buckets", buckets.len());
    assert!(buckets[0].starts_with("1700611200"), "{}", buckets[0]);
    let plan = texts(&client, &format!("EXPLAIN ANALYZE SELECT sum(bytes) FROM flows WHERE {filter}")).await.join("\n");
    // Late records may lie in the next object, whose footer rules it out.
    assert!(plan.contains("objects=8,") && plan.contains("pruned_folders=16"), "{plan}");
}

#[tokio::test]
async fn dbeaver_and_drivers_read_the_catalogue() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    for sql in include_str!("catalogue_queries.sql").split("\n\n").filter(|sql| !sql.trim().is_empty()) {
        client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }
}
