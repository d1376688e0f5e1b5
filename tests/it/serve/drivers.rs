//! What drivers send: arrays, spans of time, zones, and the questions of their catalogues.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_postgres::types::{ToSql, Type};

use super::server::{Serving, said};
use super::values::texts;

async fn number(client: &tokio_postgres::Client, sql: &str, values: &[&(dyn ToSql + Sync)]) -> i64 {
    client.query_one(sql, values).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

#[tokio::test]
async fn arrays_are_parameters_with_and_without_a_type() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let ports = number(&client, "SELECT count(*) FROM flows WHERE dstport IN (443, 80)", &[]).await;
    let others = number(&client, "SELECT count(*) FROM flows WHERE dstport NOT IN (443, 80)", &[]).await;
    let hosts = number(&client, "SELECT count(*) FROM flows WHERE host IN ('10.0.44.5', '10.0.8.4')", &[]).await;
    assert!(ports > 1_000 && others > 1_000 && hosts > 1_000);
    // The types that a client is told are those of the column, unless the statement says another.
    for (sql, expected) in [
        ("SELECT 1 FROM flows WHERE dstport = ANY($1)", Type::INT8_ARRAY),
        ("SELECT 1 FROM flows WHERE dstport = ANY($1::int[])", Type::INT8_ARRAY),
        ("SELECT 1 FROM flows WHERE host = ANY($1)", Type::TEXT_ARRAY),
        ("SELECT 1 FROM flows WHERE 'x' || host <> ALL ($1)", Type::TEXT_ARRAY),
    ] {
        assert_eq!(client.prepare(sql).await.unwrap().params(), [expected], "{sql}");
    }
    for any in ["= ANY($1)", "= ANY($1::int[])", "= ANY($1::bigint[])", "= SOME($1)"] {
        let sql = format!("SELECT count(*) FROM flows WHERE dstport {any}");
        assert_eq!(number(&client, &sql, &[&vec![443_i64, 80]]).await, ports, "{sql}");
        assert_eq!(number(&client, &sql, &[&Vec::<i64>::new()]).await, 0, "{sql}");
        assert_eq!(number(&client, &sql, &[&vec![Some(443_i64), None, Some(80)]]).await, ports, "{sql}");
        assert_eq!(number(&client, &sql, &[&None::<Vec<i64>>]).await, 0, "{sql}");
    }
    let sql = "SELECT count(*) FROM flows WHERE dstport <> ALL($1)";
    assert_eq!(number(&client, sql, &[&vec![443_i64, 80]]).await, others);
    assert_eq!(number(&client, sql, &[&vec![Some(443_i64), None]]).await, 0, "NULL may be any port");
    let sql = "SELECT count(*) FROM flows WHERE host = ANY($1) AND bytes >= $2";
    assert_eq!(number(&client, sql, &[&vec!["10.0.44.5", "10.0.8.4"], &0_i64]).await, hosts);
    // Types that the client declares.
    for kind in [Type::INT2_ARRAY, Type::INT4_ARRAY] {
        let sql = "SELECT count(*) FROM flows WHERE dstport = ANY($1)";
        let statement = client.prepare_typed(sql, std::slice::from_ref(&kind)).await.unwrap();
        let row = match kind {
            Type::INT2_ARRAY => client.query_one(&statement, &[&vec![443_i16, 80]]).await,
            _ => client.query_one(&statement, &[&vec![443_i32, 80]]).await,
        };
        assert_eq!(row.unwrap().get::<_, i64>(0), ports, "{kind}");
    }
    for sql in [
        "SELECT count(*) FROM flows WHERE dstport = ANY('{443,80}'::int[])",
        "SELECT count(*) FROM flows WHERE dstport = ANY('{443,80}')",
        "SELECT count(*) FROM flows WHERE dstport = ANY(ARRAY[443,80])",
    ] {
        assert_eq!(texts(&client, sql).await, [ports.to_string()], "{sql}");
    }
    let row = client.query_one("SELECT ARRAY[1, NULL, 3], ARRAY['a', 'b c'], ARRAY[true]", &[]).await.unwrap();
    assert_eq!(row.get::<_, Vec<Option<i64>>>(0), [Some(1), None, Some(3)]);
    assert_eq!(row.get::<_, Vec<&str>>(1), ["a", "b c"]);
    assert_eq!(row.get::<_, Vec<bool>>(2), [true]);
}

/// `= ANY` of an array rules out objects as IN does.
#[tokio::test]
async fn arrays_rule_out_objects() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let sql = "EXPLAIN ANALYZE SELECT count(*) FROM flows WHERE hour = ANY('{13}'::int[])";
    let ran = texts(&client, sql).await.join("\n");
    assert!(ran.contains("pruned_objects=23"), "{ran}");
}

#[tokio::test]
async fn times_have_their_zone() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let six = UNIX_EPOCH + Duration::from_secs(1_700_632_800);
    let sql = "SELECT now(), '2023-11-22T06:00:00Z'::timestamptz, to_timestamp(1700632800), current_timestamp, \
               '2023-11-22T06:00:00Z'::timestamptz AT TIME ZONE 'Asia/Tokyo', \
               TIMESTAMP '2023-11-22 15:00:00' AT TIME ZONE 'Asia/Tokyo'";
    let row = client.query_one(sql, &[]).await.unwrap();
    let types: Vec<Type> = row.columns().iter().map(|column| column.type_().clone()).collect();
    let zoned = Type::TIMESTAMPTZ;
    let expected = [zoned.clone(), zoned.clone(), zoned.clone(), zoned.clone(), Type::TIMESTAMP, zoned];
    assert_eq!(types, expected);
    let now: SystemTime = row.get(0);
    assert!(SystemTime::now().duration_since(now).unwrap_or_default() < Duration::from_secs(600));
    for column in [1, 2, 5] {
        assert_eq!(row.get::<_, SystemTime>(column), six, "{column}");
    }
    assert_eq!(row.get::<_, SystemTime>(4), six + Duration::from_secs(9 * 3_600));
    let count = "SELECT count(*) FROM flows WHERE start >=";
    let since = number(&client, &format!("{count} TIMESTAMP '2023-11-22T06:00:00Z'"), &[]).await;
    assert_eq!(
        number(&client, &format!("{count} TIMESTAMP '2023-11-22 15:00:00' AT TIME ZONE 'Asia/Tokyo'"), &[]).await,
        since
    );
    assert_eq!(number(&client, &format!("{count} $1::timestamptz"), &[&six]).await, since);
    assert_eq!(number(&client, &format!("{count} $1::timestamptz - interval '0 hours'"), &[&six]).await, since);
    assert_eq!(
        texts(&client, "SELECT to_char('2023-11-22T06:07:08Z'::timestamptz, 'YYYY-MM-DD HH24:MI:SS')").await,
        ["2023-11-22 06:07:08"]
    );
    assert!(said(client.simple_query("SELECT to_char(start, 'Q') FROM flows").await).1.contains("date_format"));
}

#[tokio::test]
async fn fields_of_structs_are_named_after_a_dot() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let of = "FROM flows WHERE host = '10.0.44.5' AND remote = '135.76.202.223' AND outbound";
    for field in ["beacon(start).period_s", "(beacon(start)).period_s", "(beacon(start)).PERIOD_S"] {
        let sql = format!("SELECT {field} = beacon(start)['period_s'], {field} > 60 {of}");
        assert_eq!(texts(&client, &sql).await, ["t|t"], "{sql}");
    }
    let sql = format!("SELECT (b).period_s > 60, (s.b).period_s > 61 FROM (SELECT beacon(start) AS b {of}) AS s");
    assert_eq!(texts(&client, &sql).await, ["t|t"]);
}

#[tokio::test]
async fn sums_over_nothing_come_last() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    let sql = "SELECT sum(bytes) FROM flows GROUP BY host ORDER BY sum(bytes)";
    for (order, last) in [("DESC", true), ("ASC", true), ("", true), ("DESC NULLS FIRST", false)] {
        let found = texts(&client, &format!("{sql} {order}")).await;
        let end = if last { found.last() } else { found.first() };
        assert_eq!(end.map(String::as_str), Some("NULL"), "{order}");
        assert_eq!(found.iter().filter(|sum| *sum == "NULL").count(), 1, "{order}");
    }
}

/// The questions of SQLAlchemy's inspector, pgjdbc's metadata and psql that need more than tables.
#[tokio::test]
async fn catalogues_are_asked_as_drivers_ask() {
    let server = Serving::start(&[]);
    let client = server.connect().await;
    for (sql, expected) in [
        (
            "SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname NOT LIKE 'pg/_' || '%' ESCAPE '/' ORDER BY 1",
            vec!["information_schema", "public"],
        ),
        (
            "SELECT con.conname, unnest(i.indkey) AS attnum, generate_subscripts(i.indkey, 1) AS ord \
             FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_index i ON con.conindid = i.indexrelid",
            vec![],
        ),
        (
            "SELECT a.attname, (information_schema._pg_expandarray(i.indkey)).n AS key_seq FROM pg_catalog.pg_attribute a \
             JOIN pg_catalog.pg_index i ON a.attrelid = i.indrelid",
            vec![],
        ),
        (
            "SELECT c.relname FROM pg_catalog.pg_class c WHERE c.relkind = 'v' AND pg_catalog.pg_table_is_visible(c.oid) \
             AND c.relname = 'views'",
            vec![],
        ),
        ("SELECT pg_catalog.pg_size_pretty(1000000::bigint)", vec!["977 kB"]),
        ("SELECT pg_catalog.pg_size_pretty(pg_catalog.pg_table_size('flows'::regclass))", vec!["NULL"]),
        (
            "SELECT pg_catalog.array_to_string(n.nspacl, E'\\n') FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'",
            vec!["NULL"],
        ),
    ] {
        assert_eq!(texts(&client, sql).await, expected, "{sql}");
    }
}
