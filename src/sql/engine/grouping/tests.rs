//! Packed grouping compared with DataFusion's own.

use super::exec::GroupsExec;
use super::with_grouping;
use crate::sql::functions::Lists;
use crate::sql::{SharedMemory, open_session_within};
use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray, StringViewArray,
    TimestampSecondArray,
};
use arrow::util::display::array_value_to_string;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::SessionContext;
use futures::TryStreamExt;
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};
use std::sync::Arc;

/// Returns a table of all types that keys and aggregates may have, with about `distinct` values of each.
fn table(rows: usize, distinct: u32, seed: u64) -> RecordBatch {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut pick = |nulls: u32| -> Vec<Option<u32>> {
        (0..rows)
            .map(|_| {
                (random.next_u64() % 10 >= u64::from(nulls)).then(|| (random.next_u64() % u64::from(distinct)) as u32)
            })
            .collect()
    };
    let text = |number: u32| match number % 7 {
        0 => format!("10.{}.{}.{}", number >> 16 & 255, number >> 8 & 255, number & 255),
        1 => format!("2001:db8::{number:x}"),
        2 => format!("010.0.0.{}", number % 256),
        3 => format!("255.{}.0.{}", number >> 8 & 255, number & 255),
        4 => format!("eni-{number:017x}"),
        5 => String::new(),
        _ => "é".repeat(number as usize % 9),
    };
    let extreme = |number: u32| match number % 5 {
        0 => i64::MAX - i64::from(number),
        1 => i64::MIN + i64::from(number),
        _ => i64::from(number) - 50,
    };
    let views: StringViewArray = pick(1).into_iter().map(|one| one.map(text)).collect();
    let texts: StringArray = pick(2).into_iter().map(|one| one.map(|number| text(number % 40))).collect();
    let times: TimestampSecondArray = pick(1).into_iter().map(|one| one.map(|number| i64::from(number) * 60)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("address", Arc::new(views)),
        ("word", Arc::new(texts)),
        ("port", Arc::new(pick(1).into_iter().map(|one| one.map(|n| n as i32 - 3)).collect::<Int32Array>())),
        ("big", Arc::new(pick(1).into_iter().map(|one| one.map(extreme)).collect::<Int64Array>())),
        ("sure", Arc::new(pick(0).into_iter().map(|one| one.map(i64::from)).collect::<Int64Array>())),
        ("start", Arc::new(times.with_timezone("UTC"))),
        ("day", Arc::new(pick(3).into_iter().map(|one| one.map(|n| n as i32 % 3)).collect::<Date32Array>())),
        ("out", Arc::new(pick(3).into_iter().map(|one| one.map(|n| n % 2 == 0)).collect::<BooleanArray>())),
        ("none", Arc::new(Int64Array::new_null(rows))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, name != "sure")))
        .unwrap()
}

fn session(batch: &RecordBatch, threads: usize, memory: &SharedMemory) -> SessionContext {
    open_session_within(vec![("t", vec![batch.clone()])], &Lists::default(), threads, memory).unwrap()
}

/// Returns the counts of the plan's packed groupings: nodes and how often they spilled.
fn grouped(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
    let (mut nodes, mut spilled) = (0, 0);
    plan.apply(|node| {
        if node.downcast_ref::<GroupsExec>().is_some() {
            nodes += 1;
            spilled += node.metrics().unwrap().sum_by_name("spilled").map_or(0, |count| count.as_usize());
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .unwrap();
    (nodes, spilled)
}

/// Returns rows as sorted lines, and the counts of [`grouped`].
async fn lines(context: &SessionContext, sql: &str) -> (Vec<String>, (usize, usize)) {
    let plan = context.sql(sql).await.unwrap().create_physical_plan().await.unwrap();
    let batches = collect(plan.clone(), context.task_ctx()).await.unwrap();
    let mut lines = Vec::new();
    for batch in &batches {
        assert_eq!(batch.schema(), plan.schema());
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter().map(|column| match column.is_null(row) {
                true => "NULL".to_owned(),
                false => array_value_to_string(column, row).unwrap(),
            });
            lines.push(values.collect::<Vec<_>>().join("|"));
        }
    }
    lines.sort_unstable();
    (lines, grouped(&plan))
}

const KEYS: &[&str] =
    &["address", "word", "port", "big", "sure", "start", "day", "out", "none", "sure % 5", "port IS NULL"];

const AGGREGATES: &[&str] = &[
    "count(*)",
    "count(big)",
    "count(address)",
    "count(none)",
    "sum(big)",
    "sum(sure)",
    "sum(port)",
    "sum(none)",
    "min(big)",
    "max(big)",
    "min(port)",
    "max(port)",
    "min(start)",
    "max(start)",
    "min(day)",
    "max(day)",
    "max(none)",
];

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn groups_are_what_the_engine_says(
        keys in prop::sample::subsequence(KEYS, 1..5),
        aggregates in prop::sample::subsequence(AGGREGATES, 0..6),
        shape in prop::sample::select(vec![(0usize, 1u32), (1, 1), (300, 4), (9_000, 30), (40_000, 1_000_000)]),
        threads in 1usize..4,
        seed in any::<u64>(),
    ) {
        let batch = table(shape.0, shape.1, seed);
        let own = session(&batch, threads, &SharedMemory::default());
        let words = with_grouping(session(&batch, threads, &SharedMemory::default())).unwrap();
        let columns = [&keys[..], &aggregates[..]].concat().join(", ");
        let sql = format!("SELECT {columns} FROM t GROUP BY {}", keys.join(", "));
        let outer = format!("SELECT count(*), min(a), max(b) FROM (SELECT {0} a, {1}, count(sure) b FROM t WHERE sure > 1 GROUP BY {0}, {1})", keys[0], keys[keys.len() - 1]);
        runtime().block_on(async {
            for sql in [&sql, &outer] {
                let ((theirs, none), (ours, some)) = (lines(&own, sql).await, lines(&words, sql).await);
                // The engine may replace a plan over no rows by an empty one.
                assert!(none.0 == 0 && (some == (1, 0) || shape.0 == 0), "{sql}");
                assert_eq!(ours, theirs, "{sql}");
            }
        });
    }
}

#[test]
fn a_plan_may_be_executed_again_and_partly() {
    let batch = table(20_000, 5_000, 7);
    let context = with_grouping(session(&batch, 2, &SharedMemory::default())).unwrap();
    runtime().block_on(async {
        let plan = context.sql("SELECT address, port, sum(sure) FROM t GROUP BY 1, 2").await.unwrap();
        let plan = plan.create_physical_plan().await.unwrap();
        let rows = |batches: Vec<RecordBatch>| batches.iter().map(RecordBatch::num_rows).sum::<usize>();
        let first = rows(collect(plan.clone(), context.task_ctx()).await.unwrap());
        assert!(first > 10_000);
        for abandoned in [0, 1, 0, 1] {
            drop(plan.execute(abandoned, context.task_ctx()).unwrap());
            assert_eq!(rows(collect(plan.clone(), context.task_ctx()).await.unwrap()), first);
            // The last partition first, after an execution that ended early.
            let abandoned = plan.execute(abandoned, context.task_ctx()).unwrap();
            let again = context.task_ctx();
            let streams = [1, 0].map(|partition| plan.execute(partition, again.clone()).unwrap());
            let mut count = 0;
            for stream in streams {
                count += rows(stream.try_collect().await.unwrap());
            }
            drop(abandoned);
            assert_eq!(count, first);
        }
    });
}

#[test]
fn what_does_not_fit_is_grouped_by_the_engine() {
    let parent = std::env::temp_dir().join(format!("flowsift-groups-{}", std::process::id()));
    let batch = table(400_000, 4_000_000_000, 11);
    let sql = "SELECT address, port, big, count(*), sum(sure), max(start) FROM t GROUP BY 1, 2, 3";
    runtime().block_on(async {
        let (all, plenty) = lines(&with_grouping(session(&batch, 2, &SharedMemory::default())).unwrap(), sql).await;
        assert_eq!(plenty, (1, 0));
        // A session has at least 48 MB, too little for these groups and their texts.
        let small = SharedMemory::limited(1 << 20, parent.clone());
        let context = with_grouping(session(&batch, 2, &small)).unwrap();
        let (some, spilled) = lines(&context, sql).await;
        assert_eq!(spilled, (1, 1));
        assert!(some == all, "{} rows, {} expected", some.len(), all.len());
        assert_eq!(context.runtime_env().memory_pool.reserved(), 0);
        drop((context, small));
    });
    let _ = std::fs::remove_dir_all(parent);
}

#[test]
fn other_groupings_are_left_to_the_engine() {
    let context = with_grouping(session(&table(100, 10, 3), 2, &SharedMemory::default())).unwrap();
    runtime().block_on(async {
        for sql in [
            "SELECT port, avg(big) FROM t GROUP BY 1",
            "SELECT port, count(*) FILTER (WHERE out) FROM t GROUP BY 1",
            "SELECT port, out, count(*) FROM t GROUP BY CUBE (port, out)",
            "SELECT port, array_agg(big ORDER BY start) FROM t GROUP BY 1",
            "SELECT count(*) FROM t",
            "SELECT port + 0.5, count(*) FROM t GROUP BY 1",
        ] {
            assert_eq!(lines(&context, sql).await.1.0, 0, "{sql}");
        }
    });
}
