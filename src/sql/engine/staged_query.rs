//! Queries that are planned first and run later, with some parts run on their own.
//!
//! The engine copies the query of a WITH into every place that names it, plans it there and runs it there again: a
//! query that looks at its suspects from three sides finds them three times. A part that is to run once is planned and
//! run before the rest, which reads its rows. If it has no rows, little is left to plan.
//!
//! Written against DataFusion 55.2; `without_rows_nothing_is_left_to_run` fails when the planner no longer drops what
//! depends on a part without rows.

use crate::sql::SqlError;
use crate::sql::tables::in_memory::memory_table;
use arrow::array::{Array, RecordBatch};
use datafusion::common::{TableReference, plan_datafusion_err, plan_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::physical_plan::{ExecutionPlan, collect_partitioned};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Cte, With};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

/// A query whose first stage is ready to run; most queries have no other.
#[derive(Debug)]
pub struct StagedQuery {
    /// For messages, such as the name of a detection.
    pub(super) name: String,
    pub(super) plan: Arc<dyn ExecutionPlan>,
    /// The stages that follow when the plan is that of a part.
    remaining: Option<RemainingParts>,
    /// Memory for the rows of parts that have run.
    held: Vec<MemoryReservation>,
}

/// A query with parts that have yet to run.
#[derive(Debug)]
struct RemainingParts {
    query: Box<ast::Query>,
    /// Indices of these parts in its WITH.
    parts: BTreeSet<usize>,
    /// Names of the tables that hold the rows of the parts that have run.
    tables: Vec<TableReference>,
}

impl StagedQuery {
    /// Plans a query; `name` is for messages.
    ///
    /// # Errors
    /// [`SqlError::Query`] when the SQL is wrong.
    pub async fn new(context: &SessionContext, name: &str, sql: &str) -> Result<Self, SqlError> {
        Self::in_stages(context, name, sql, &[]).await
    }

    /// Plans a query up to the first part of its WITH that is listed in `once`, which runs before the parts that read
    /// it.
    ///
    /// The rows of such a part are held in memory, so it should choose and count rather than list. No other query with
    /// such parts may run under the same name in the session at the same time.
    ///
    /// # Errors
    /// [`SqlError::Query`] when the SQL is wrong or has no such part.
    pub async fn in_stages(context: &SessionContext, name: &str, sql: &str, once: &[String]) -> Result<Self, SqlError> {
        let planning = async {
            if once.is_empty() {
                let plan = context.sql(sql).await?.create_physical_plan().await?;
                return Ok(Self { name: name.to_owned(), plan, remaining: None, held: Vec::new() });
            }
            let query = parsed(context, sql)?;
            let parts = once.iter().map(|part| place(&query, part)).collect::<Result<_>>()?;
            RemainingParts { query, parts, tables: Vec::new() }.plan(context, name, Vec::new()).await
        };
        timed(name, planning).await
    }

    /// Runs the query in the session that it was planned in, and collects its rows. Without sorts and joins they come
    /// in the order of the table.
    ///
    /// # Errors
    /// [`SqlError`] when it fails.
    pub async fn run(self, context: &SessionContext) -> Result<Vec<RecordBatch>, SqlError> {
        let last = self.last_stage(context).await?;
        collect(context, last.plan).await.map_err(|error| SqlError::query(&last.name, error))
    }

    /// Runs the parts that run on their own, and plans the query itself.
    ///
    /// # Errors
    /// [`SqlError`] when one fails, or its rows are too many for memory.
    pub(super) async fn last_stage(mut self, context: &SessionContext) -> Result<Self, SqlError> {
        while let Some(mut remaining) = self.remaining.take() {
            let Self { name, plan, mut held, .. } = self;
            held.extend(remaining.run(context, &name, plan).await.map_err(|error| SqlError::query(&name, error))?);
            self = timed(&name, remaining.plan(context, &name, held)).await?;
        }
        Ok(self)
    }
}

/// Plans and runs one query and collects its rows; `name` is for messages.
///
/// # Errors
/// [`SqlError::Query`] when the SQL is wrong or fails.
pub async fn run(context: &SessionContext, name: &str, sql: &str) -> Result<Vec<RecordBatch>, SqlError> {
    StagedQuery::new(context, name, sql).await?.run(context).await
}

/// Runs all partitions of a plan, each on its own task, and concatenates their rows.
pub(super) async fn collect(
    context: &SessionContext,
    plan: Arc<dyn ExecutionPlan>,
) -> Result<Vec<RecordBatch>, DataFusionError> {
    Ok(collect_partitioned(plan, context.task_ctx()).await?.into_iter().flatten().collect())
}

async fn timed(name: &str, planning: impl Future<Output = Result<StagedQuery>>) -> Result<StagedQuery, SqlError> {
    let started = Instant::now();
    let planned = planning.await.map_err(|error| SqlError::query(name, error))?;
    tracing::debug!(name, seconds = started.elapsed().as_secs_f64(), "planned");
    Ok(planned)
}

impl RemainingParts {
    /// Plans the next part, or the query itself when there is none.
    async fn plan(self, context: &SessionContext, name: &str, held: Vec<MemoryReservation>) -> Result<StagedQuery> {
        let query = self.next(context)?;
        let state = context.state();
        let statement = Statement::Statement(Box::new(ast::Statement::Query(query)));
        let plan = state.create_physical_plan(&state.statement_to_plan(statement).await?).await?;
        let remaining = if self.parts.is_empty() {
            // The plan has the rows now.
            self.tables.into_iter().try_for_each(|table| context.deregister_table(table).map(drop))?;
            None
        } else {
            Some(self)
        };
        Ok(StagedQuery { name: name.to_owned(), plan, remaining, held })
    }

    /// Returns the query for the rows of the next part, or the query itself when no part is left.
    fn next(&self, context: &SessionContext) -> Result<Box<ast::Query>> {
        let (Some(part), Some(with)) = (self.parts.first(), &self.query.with) else { return Ok(self.query.clone()) };
        let known = &with.cte_tables[..=*part];
        let mut query = parsed(context, &format!("SELECT * FROM {}", with.cte_tables[*part].alias.name))?;
        query.with = Some(With { cte_tables: known.to_vec(), ..with.clone() });
        Ok(query)
    }

    /// Runs the plan of the next part and replaces its text in the WITH by its rows; the reservation pays for them.
    async fn run(
        &mut self,
        context: &SessionContext,
        name: &str,
        plan: Arc<dyn ExecutionPlan>,
    ) -> Result<Option<MemoryReservation>> {
        let (Some(part), Some(with)) = (self.parts.pop_first(), &mut self.query.with) else { return Ok(None) };
        let Some(cte) = with.cte_tables.get_mut(part) else { return Ok(None) };
        let schema = plan.schema();
        let rows = collect(context, plan).await?;
        let reservation = MemoryConsumer::new(format!("a part of {name}")).register(&context.runtime_env().memory_pool);
        let sizes = rows.iter().flat_map(RecordBatch::columns).map(|column| column.to_data().get_slice_memory_size());
        reservation.try_grow(sizes.sum::<Result<usize, _>>()?)?;
        let none = rows.iter().all(|batch| batch.num_rows() == 0);
        let table = TableReference::bare(format!("{name}: {}", cte.alias.name.value));
        let threads = context.copied_config().target_partitions();
        context.register_table(table.clone(), Arc::new(memory_table(schema, &rows, threads)?))?;
        // The planner drops everything that depends on a part without rows.
        let filter = if none { " WHERE false" } else { "" };
        cte.query = parsed(context, &format!("SELECT * FROM {}{filter}", table.to_quoted_string()))?;
        self.tables.push(table);
        Ok(Some(reservation))
    }
}

/// Parses SQL that must be one query.
fn parsed(context: &SessionContext, sql: &str) -> Result<Box<ast::Query>> {
    let state = context.state();
    if let Statement::Statement(statement) =
        state.sql_to_statement(sql, &state.config().options().sql_parser.dialect)?
        && let ast::Statement::Query(query) = *statement
    {
        return Ok(query);
    }
    plan_err!("parts that run once are those of a SELECT: this is not a SELECT")
}

/// Finds a part of a query's WITH.
fn place(query: &ast::Query, part: &str) -> Result<usize> {
    let ctes: &[Cte] = query.with.as_ref().map_or(&[], |with| &with.cte_tables);
    let found = ctes.iter().position(|cte| cte.alias.name.value == part);
    found.ok_or_else(|| plan_datafusion_err!("`{part}` is to run once, but the query's WITH has no such part"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::functions::Lists;
    use crate::sql::{SharedMemory, open_session, open_session_within};
    use arrow::array::{ArrayRef, Int64Array};
    use arrow::util::pretty::pretty_format_batches;
    use datafusion::physical_plan::displayable;

    fn session(threads: usize) -> SessionContext {
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..40_000));
        let table = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        open_session(vec![("t", vec![table])], &Lists::default(), threads).unwrap()
    }

    async fn staged(context: &SessionContext, sql: &str, once: &[&str]) -> Result<Vec<RecordBatch>, SqlError> {
        let once: Vec<String> = once.iter().map(|part| (*part).to_owned()).collect();
        StagedQuery::in_stages(context, "q", sql, &once).await?.run(context).await
    }

    const QUERIES: [(&str, &[&str]); 6] = [
        ("WITH few AS (SELECT n FROM t WHERE n % 9999 = 0) SELECT a.n, b.n AS m FROM few a JOIN few b ON a.n = b.n + 9999 ORDER BY a.n", &["few"]),
        // Column names, quoted names, and a part that reads another one.
        (
            "WITH \"The Few\"(k, l) AS (SELECT n, n * 2 FROM t WHERE n < 5), sums AS (SELECT sum(l) AS s FROM \"The Few\")
            SELECT k, s FROM \"The Few\" CROSS JOIN sums ORDER BY k",
            &["sums", "The Few"],
        ),
        // Only the second part runs on its own, and it has a WITH of its own.
        (
            "WITH small AS (SELECT n FROM t WHERE n < 1000), odd AS (WITH half AS (SELECT n FROM small WHERE n < 500)
            SELECT n FROM half WHERE n % 2 = 1), last AS (SELECT max(n) AS n FROM odd)
            SELECT odd.n FROM odd JOIN last ON odd.n + 2 >= last.n ORDER BY odd.n LIMIT 3",
            &["odd"],
        ),
        ("WITH none AS (SELECT n FROM t WHERE n < 0) SELECT a.n FROM none a JOIN t ON a.n = t.n", &["none"]),
        ("WITH none AS (SELECT n FROM t WHERE n < 0) SELECT count(*) AS c, max(a.n) AS m FROM none a", &["none"]),
        ("WITH none AS (SELECT n FROM t WHERE n < 0) SELECT t.n, none.n AS m FROM t LEFT JOIN none ON t.n = none.n WHERE t.n < 2 ORDER BY t.n", &["none"]),
    ];

    #[tokio::test]
    async fn rows_are_those_of_the_query_as_a_whole() {
        for threads in [1, 3] {
            let context = session(threads);
            for (sql, once) in QUERIES {
                let text = |rows: Vec<RecordBatch>| pretty_format_batches(&rows).unwrap().to_string();
                let whole = text(run(&context, "whole", sql).await.unwrap());
                assert_eq!(text(staged(&context, sql, once).await.unwrap()), whole, "{sql}");
            }
            assert_eq!(context.catalog("flowsift").unwrap().schema("public").unwrap().table_names(), ["t"]);
        }
    }

    #[tokio::test]
    async fn a_part_runs_once() {
        let context = session(2);
        let sql = "WITH drawn AS (SELECT n, random() AS r FROM t WHERE n < 50)
            SELECT a.n FROM drawn a JOIN drawn b ON a.n = b.n WHERE a.r <> b.r";
        let rows = |found: Vec<RecordBatch>| found.iter().map(RecordBatch::num_rows).sum::<usize>();
        assert_eq!(rows(run(&context, "whole", sql).await.unwrap()), 50);
        assert_eq!(rows(staged(&context, sql, &["drawn"]).await.unwrap()), 0);
    }

    #[tokio::test]
    async fn without_rows_nothing_is_left_to_run() {
        let context = session(2);
        let query = StagedQuery::in_stages(&context, "q", QUERIES[3].0, &["none".to_owned()]).await.unwrap();
        let last = query.last_stage(&context).await.unwrap();
        assert_eq!(displayable(last.plan.as_ref()).one_line().to_string().trim(), "EmptyExec");
    }

    #[tokio::test]
    async fn says_what_cannot_run_once() {
        let context = session(1);
        let problem = |error: SqlError| flow::error_text(&error);
        let error = problem(staged(&context, "WITH a AS (SELECT 1) SELECT * FROM a", &["b"]).await.unwrap_err());
        assert!(error.contains("`b` is to run once, but the query's WITH has no such part"), "{error}");
        let error = problem(staged(&context, "SELECT 1", &["b"]).await.unwrap_err());
        assert!(error.contains("no such part"), "{error}");
        let error = problem(staged(&context, "SHOW TABLES", &["b"]).await.unwrap_err());
        assert!(error.contains("not a SELECT"), "{error}");
    }

    #[tokio::test]
    async fn rows_that_do_not_fit_are_no_surprise() {
        let folder = tempfile::tempdir().unwrap();
        let memory = SharedMemory::limited(1 << 20, folder.path().to_owned());
        // Plans have at least 48 MB; the rows of this part need 80.
        let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..10_000_000));
        let table = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
        let context = open_session_within(vec![("t", vec![table])], &Lists::default(), 2, &memory).unwrap();
        let error = staged(&context, "WITH a AS (SELECT n FROM t) SELECT count(*) FROM a", &["a"]).await.unwrap_err();
        assert!(matches!(error, SqlError::Memory { .. }), "{error}");
    }
}
