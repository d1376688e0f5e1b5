//! Functions over tables: every encoding of an address, aggregates compared with slow twins, any number of threads.

use super::{Lists, aggregates};
use crate::sql::{SharedMemory, open_session, open_session_within, run};
use arrow::array::{
    Array, ArrayRef, AsArray, DictionaryArray, FixedSizeBinaryArray, Float64Array, Int64Array, LargeStringArray,
    RecordBatch, StringArray, StringViewArray, TimestampSecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, UInt64Type};
use arrow::util::pretty::pretty_format_batches;
use datafusion::prelude::SessionContext;
use flow::Address;
use kernels::beacon::{ObservedWindow, beacon};
use kernels::robust;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

fn session(columns: Vec<(&str, ArrayRef)>, threads: usize) -> SessionContext {
    let rows = RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, c)| (n, c, true))).unwrap();
    // Several batches, so that there is work to distribute.
    let cut = (rows.num_rows() / 3).max(1);
    let parts = (0..rows.num_rows()).step_by(cut).map(|from| rows.slice(from, cut.min(rows.num_rows() - from)));
    let parts: Vec<RecordBatch> = parts.collect();
    open_session(vec![("t", if parts.is_empty() { vec![rows] } else { parts })], &Lists::default(), threads).unwrap()
}

async fn text(session: &SessionContext, sql: &str) -> String {
    pretty_format_batches(&run(session, "q", sql).await.unwrap()).unwrap().to_string()
}

#[tokio::test]
async fn addresses_are_understood_in_every_encoding() {
    let texts = [Some("10.0.0.1"), Some("-"), None, Some("2001:DB8::1"), Some("::ffff:10.0.0.1")];
    let bytes = texts.map(|text| text?.parse::<Address>().ok().map(Address::to_bytes));
    let keyed: DictionaryArray<Int32Type> = texts.into_iter().collect();
    let encodings: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(texts.to_vec())),
        Arc::new(LargeStringArray::from(texts.to_vec())),
        Arc::new(StringViewArray::from(texts.to_vec())),
        Arc::new(keyed),
        Arc::new(FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 16).unwrap()),
    ];
    for encoded in encodings {
        let kind = encoded.data_type().clone();
        let session = session(vec![("a", encoded)], 1);
        let sql = "SELECT ip(a) AS ip, cidr_contains('10.0.0.0/8', a) AS c, ip_in(a, '10.0.0.2 2001:db8::/32') AS i, \
                   is_internal(a) AS own, prefix(a, 8) AS p, address(a) = address('10.0.0.1') AS same FROM t";
        let expected = "\
+-------------+-------+-------+-------+---------------+-------+
| ip          | c     | i     | own   | p             | same  |
+-------------+-------+-------+-------+---------------+-------+
| 10.0.0.1    | true  | false | true  | 10.0.0.0/8    | true  |
|             |       |       |       |               |       |
|             |       |       |       |               |       |
| 2001:db8::1 | false | true  | false | 2001:db8::/64 | false |
| 10.0.0.1    | true  | false | true  | 10.0.0.0/8    | true  |
+-------------+-------+-------+-------+---------------+-------+";
        assert_eq!(text(&session, sql).await, expected, "{kind}");
        let count = text(&session, "SELECT distinct_hosts(a) AS n FROM t").await;
        assert!(count.contains("| 2 |"), "{kind}: {count}");
    }
}

#[tokio::test]
async fn wrong_arguments_are_named_when_the_query_is_planned() {
    let session = session(vec![("n", Arc::new(Int64Array::from(vec![1])))], 1);
    for (sql, said) in [
        ("SELECT ip(n) FROM t", "ip: `address` must be an address (text or 16 bytes), got Int64"),
        ("SELECT prefix('10.0.0.1', 'x') FROM t", "prefix: `length` must be a number"),
        ("SELECT distinct_hosts(n) FROM t", "distinct_hosts: `address` must be an address"),
        ("SELECT beacon('noon') FROM t", "beacon: `time` must be a timestamp or Unix seconds"),
        ("SELECT hdr_quantile(n, 1.5) FROM t", "hdr_quantile: `q` must be a constant from 0 to 1"),
        ("SELECT hdr_quantile(n, n) FROM t", "hdr_quantile: `q` must be a constant from 0 to 1"),
        ("SELECT cidr_contains('10.0.0.0/40', '10.0.0.1')", "`10.0.0.0/40` is not an address or a network"),
        ("SELECT prefix('10.0.0.1', 33)", "a prefix length of 33, expected 0 to 32"),
        ("SELECT window(n, '5 parsecs') FROM t", "`5 parsecs` is not a length"),
    ] {
        let error = flow::error_text(&run(&session, "q", sql).await.unwrap_err());
        assert!(error.contains(said), "{sql}: {error}");
    }
}

/// Returns the groups of a column of keys, with the rows of each.
fn grouped<T: Copy>(keys: &[i64], values: &[T]) -> BTreeMap<i64, Vec<T>> {
    let mut groups: BTreeMap<i64, Vec<T>> = BTreeMap::new();
    keys.iter().zip(values).for_each(|(key, value)| groups.entry(*key).or_default().push(*value));
    groups
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn aggregates_are_their_slow_twins_on_any_number_of_threads(
        rows in prop::collection::vec((0i64..7, 0i64..50_000, prop::option::weighted(0.9, 0u32..100_000)), 1..400),
        threads in 1usize..4,
    ) {
        let keys: Vec<i64> = rows.iter().map(|row| row.0).collect();
        let times: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let sizes: Vec<Option<f64>> = rows.iter().map(|row| row.2.map(f64::from)).collect();
        let addresses: Vec<String> = rows.iter().map(|row| format!("10.0.{}.{}", row.1 % 3, row.1 % 7)).collect();
        let session = session(
            vec![
                ("k", Arc::new(Int64Array::from(keys.clone()))),
                ("s", Arc::new(TimestampSecondArray::from(times.clone()).with_timezone("UTC"))),
                ("x", Arc::new(Float64Array::from(sizes.clone()))),
                ("a", Arc::new(StringViewArray::from_iter_values(&addresses))),
            ],
            threads,
        );
        let sql = "SELECT k, beacon(s)['p_value'] AS p, beacon(s)['period_s'] AS period, \
                   interval_stats(s)['median_s'] AS median_s, mad(x) AS mad, max_robust_z(x) AS z, \
                   hdr_quantile(x, 0.9) AS q, distinct_hosts(a) AS hosts FROM t GROUP BY k ORDER BY k";
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().unwrap();
        let batches = runtime.block_on(run(&session, "q", sql)).unwrap();
        let found = arrow::compute::concat_batches(&batches[0].schema(), &batches).unwrap();
        let floats = |name: &str| -> Vec<Option<f64>> {
            found.column_by_name(name).unwrap().as_primitive::<Float64Type>().iter().collect()
        };
        let wholes = |name: &str| -> Vec<Option<u64>> {
            found.column_by_name(name).unwrap().as_primitive::<UInt64Type>().iter().collect()
        };
        let by_time = grouped(&keys, &times);
        let by_size = grouped(&keys, &sizes);
        prop_assert_eq!(
            found.column(0).as_primitive::<Int64Type>().values().to_vec(),
            by_time.keys().copied().collect::<Vec<_>>()
        );
        for (row, (key, times)) in by_time.iter().enumerate() {
            let mut sorted = times.clone();
            sorted.sort_unstable();
            let window = ObservedWindow { from_s: sorted[0], to_s: sorted[sorted.len() - 1] + 1, window_s: 60 };
            let twin = beacon(&sorted, &[], &window);
            prop_assert_eq!(floats("p")[row], twin.map(|twin| twin.p_value));
            prop_assert_eq!(floats("period")[row], twin.map(|twin| twin.period_s));
            let mut distances: Vec<i64> = sorted.windows(2).map(|pair| pair[1] - pair[0]).collect();
            prop_assert_eq!(floats("median_s")[row], robust::median(&mut distances));
            let mut known: Vec<f64> = by_size[key].iter().flatten().copied().collect();
            let centre = robust::median(&mut known);
            let mad = centre.and_then(|centre| robust::mad(&known, centre));
            prop_assert_eq!(floats("mad")[row], mad);
            known.sort_by(f64::total_cmp);
            let z = centre.map(|centre| robust::robust_z(known[known.len() - 1], centre, mad.unwrap(), 0.1));
            prop_assert_eq!(floats("z")[row], z);
            match wholes("q")[row] {
                Some(q) => {
                    let exact = known[((0.9 * known.len() as f64).ceil() as usize).max(1) - 1];
                    prop_assert!(q as f64 >= exact && q as f64 <= exact * 1.001 + 1.0, "{} for {}", q, exact);
                }
                None => prop_assert!(known.is_empty()),
            }
            let hosts: BTreeSet<&String> =
                keys.iter().zip(&addresses).filter(|(other, _)| *other == key).map(|(_, address)| address).collect();
            prop_assert_eq!(wholes("hosts")[row], Some(hosts.len() as u64));
        }
    }
}

#[tokio::test]
async fn quantiles_of_large_groups_do_not_depend_on_threads() {
    // Beyond the size at which a group becomes a histogram.
    let values: Vec<i64> = (0..60_000).map(|at| (at * at) % 1_000_003).collect();
    let mut seen = BTreeSet::new();
    for threads in [1, 2, 3] {
        let session = session(vec![("x", Arc::new(Int64Array::from(values.clone())))], threads);
        seen.insert(text(&session, "SELECT hdr_quantile(x, 0.99) AS q, hdr_quantile(x, 0) AS low FROM t").await);
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    let mut sorted = values;
    sorted.sort_unstable();
    let exact = sorted[59_400 - 1] as f64;
    let shown = seen.first().unwrap().split('|').nth(4).unwrap().trim().parse::<f64>().unwrap();
    assert!((exact..=exact * 1.001).contains(&shown), "{shown} for {exact}");
}

#[tokio::test]
async fn aggregates_work_without_groups_and_over_windows() {
    let times: Vec<i64> = (0..9).map(|at| at * 600).collect();
    let session = session(vec![("s", Arc::new(Int64Array::from(times)))], 2);
    let sql = "SELECT s, mad(s) OVER (ORDER BY s) AS m, round(beacon(s) OVER (ORDER BY s)['period_s']) AS p \
               FROM t ORDER BY s DESC LIMIT 2";
    let shown = text(&session, sql).await;
    assert!(shown.contains("| 4800 | 1200.0 | 600.0 |") && shown.contains("| 4200 | 1200.0 | 600.0 |"), "{shown}");
    let none = text(
        &session,
        "SELECT beacon(s) IS NULL AS b, mad(s) IS NULL AS m, distinct_hosts(ip(NULL)) AS d FROM t WHERE s < 0",
    )
    .await;
    assert!(none.contains("| true | true | 0 |"), "{none}");
    // The planner implements DISTINCT by grouping first.
    let distinct = text(&session, "SELECT mad(DISTINCT s % 1200) AS m FROM t").await;
    assert!(distinct.contains("| 300.0 |"), "{distinct}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_that_do_not_fit_into_memory_are_judged_the_same() {
    let rows = 160_000i64;
    let keys: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|at| at * 7_919 % 80_000)));
    let times: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|at| at * 31 % 90_001)));
    let table = RecordBatch::try_from_iter([("k", keys), ("s", times)]).unwrap();
    let sql = "SELECT k % 5 AS k, sum(m) AS m, sum(q) AS q, sum(d) AS d FROM (SELECT k, mad(s) AS m, \
               hdr_quantile(s, 0.5) AS q, distinct_hosts(concat('10.0.', s % 200, '.', s % 90)) AS d \
               FROM t GROUP BY k) GROUP BY k % 5 ORDER BY k";
    let folder = tempfile::tempdir().unwrap();
    let small = SharedMemory::limited(4 << 20, folder.path().to_owned());
    let mut shown = Vec::new();
    for (memory, spills) in [(SharedMemory::default(), false), (small, true)] {
        let session = open_session_within(vec![("t", vec![table.clone()])], &Lists::default(), 2, &memory).unwrap();
        shown.push(text(&session, sql).await);
        if spills {
            let plan = text(&session, &format!("EXPLAIN ANALYZE {sql}")).await;
            let spilled = plan.split("spill_count=").skip(1).any(|rest| !rest.starts_with("0,"));
            assert!(spilled, "{plan}");
        }
    }
    assert_eq!(shown[0], shown[1]);
}

#[test]
fn every_aggregate_has_a_name_of_its_own() {
    let names: BTreeSet<String> = aggregates().iter().map(|function| function.name().to_owned()).collect();
    assert_eq!(names.len(), aggregates().len());
}

proptest! {
    #[test]
    fn views_are_read_as_their_texts(numbers in prop::collection::vec(prop::option::of(0u32..6_000), 0..9_000), word in "[a-z.:0-9]{0,20}") {
        // More addresses than the cache has entries, short and long ones, NULLs, and a text that is not an address.
        let texts: Vec<Option<String>> = numbers
            .iter()
            .map(|number| number.map(|number| match number % 7 {
                0 => word.clone(),
                1 => format!("2001:db8::{number:x}"),
                _ => format!("10.1.{}.{}", number / 256, number % 256),
            }))
            .collect();
        let array: ArrayRef = Arc::new(texts.iter().map(Option::as_deref).collect::<StringViewArray>());
        let expected: Vec<Option<Address>> =
            texts.iter().map(|text| text.as_ref().and_then(|text| Address::parse(text.as_bytes()))).collect();
        prop_assert_eq!(super::addresses::addresses(&array), expected);
    }
}
