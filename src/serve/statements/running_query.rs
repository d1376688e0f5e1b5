//! A running query: its plan in progress, and its rows on their way to the client.

use crate::serve::encode::Columns;
use crate::serve::protocol::pg_error::{self, PgError};
use crate::serve::protocol::socket::Socket;
use crate::serve::session::Session;
use crate::serve::statements::prepare::Query;
use crate::sql::{PlanRows, PlanThreads, Skipped};
use arrow::array::RecordBatch;
use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};
use datafusion::physical_plan::ExecutionPlan;
use flow::error_text;
use futures::SinkExt;
use pgwire::api::portal::Format;
use pgwire::error::PgWireResult;
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::DataRow;
use std::sync::Arc;

type Messages = Box<dyn Iterator<Item = PgWireResult<DataRow>> + Send + Sync>;

/// A running query; dropping it ends it.
pub(in crate::serve) struct RunningQuery {
    query: Arc<Query>,
    columns: Columns,
    plan: Arc<dyn ExecutionPlan>,
    rows: PlanRows,
    /// Rows of the batch being sent.
    batch: Option<Messages>,
    sent: u64,
    /// The memory that scans and threads take besides what operators count.
    _taken: MemoryReservation,
    /// Threads of its own: an operator that never yields keeps them busy even after the query was cancelled.
    _threads: PlanThreads,
}

/// Bytes that each thread of a query takes, as measured for `SELECT * FROM flows`.
const THREAD_BYTES: usize = 4 << 20;

/// Counts the memory of a query's threads as far as that leaves half of the pool: most queries take less, and many that
/// wait for their clients must not make the queries of others fail.
fn thread_memory(pool: &Arc<dyn MemoryPool>, threads: usize) -> MemoryReservation {
    let taken = MemoryConsumer::new("threads").register(pool);
    let most = match pool.memory_limit() {
        MemoryLimit::Finite(bytes) => bytes / 2,
        _ => usize::MAX,
    };
    let left = most.saturating_sub(pool.reserved()) / THREAD_BYTES;
    taken.grow(THREAD_BYTES * threads.min(left));
    taken
}

impl std::fmt::Debug for RunningQuery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunningQuery").field("query", &self.query.sql).field("sent", &self.sent).finish_non_exhaustive()
    }
}

impl RunningQuery {
    /// Starts a query with the values of its parameters.
    ///
    /// # Errors
    /// When it cannot be planned, or would read more than allowed.
    pub(in crate::serve) async fn start(
        session: &Session,
        query: &Arc<Query>,
        values: Option<ParamValues>,
        format: &Format,
    ) -> Result<Self, PgError> {
        let wrong = |error: DataFusionError| session.mistaken(&query.sql, query.before, &error);
        let (context, logical) = (session.context().clone(), query.plan.clone());
        let workspace = session.shared.workspace.clone();
        let most = session.shared.limits.max_bytes;
        let planning = async move {
            let logical = match values {
                Some(values) => logical.replace_params_with_values(&values)?,
                None => logical,
            };
            let frame = context.execute_logical_plan(logical.clone()).await?;
            let plan: Arc<dyn ExecutionPlan> = frame.create_physical_plan().await?;
            let bytes = match most {
                Some(_) => workspace.bytes_to_read(&logical, &plan).await?,
                None => 0,
            };
            Ok((plan, bytes))
        };
        let (plan, bytes) = session.planned(planning).await?.map_err(wrong)?;
        if let Some(most) = most.filter(|most| bytes > *most) {
            return Err(pg_error::too_much(bytes, most));
        }
        let threads = PlanThreads::start(session.shared.threads)
            .map_err(|error| pg_error::error("53000", format!("cannot start threads: {}", error_text(&error))))?;
        let columns = Columns::of(&plan.schema(), format)?;
        let taken = thread_memory(&session.context().runtime_env().memory_pool, session.shared.threads);
        let rows = PlanRows::start(plan.clone(), session.context().task_ctx(), &threads).map_err(wrong)?;
        Ok(Self { query: query.clone(), columns, plan, rows, batch: None, sent: 0, _taken: taken, _threads: threads })
    }

    /// Returns the objects that it could not read, once it has returned all rows.
    pub(in crate::serve) fn skipped(&self, session: &Session) -> Vec<Skipped> {
        session.shared.workspace.note_skipped(&self.query.plan, &self.plan).unwrap_or_default()
    }

    /// Returns the columns of the rows.
    pub(in crate::serve) fn columns(&self) -> &Columns {
        &self.columns
    }

    /// Sends at most `most` rows, or discards them; returns how many, and whether there may be more.
    ///
    /// # Errors
    /// When the plan fails, the result is too long or the client is gone.
    pub(in crate::serve) async fn send(
        &mut self,
        session: &Session,
        socket: &mut Socket,
        most: Option<usize>,
        away: bool,
    ) -> Result<(usize, bool), PgError> {
        let mut count = 0;
        loop {
            if most.is_some_and(|most| count >= most) {
                return Ok((count, true));
            }
            let Some(rows) = &mut self.batch else {
                match self.rows.next().await {
                    None => return Ok((count, false)),
                    Some(Ok(batch)) => self.batch = Some(self.encoded(&batch)?),
                    Some(Err(error)) => {
                        return Err(session.mistaken(&self.query.sql, self.query.before, &error));
                    }
                }
                continue;
            };
            let Some(row) = rows.next() else {
                self.batch = None;
                continue;
            };
            self.sent += 1;
            if session.shared.limits.max_rows.is_some_and(|most| self.sent > most) {
                return Err(pg_error::too_many_rows(&session.shared.limits));
            }
            if !away {
                socket.feed(PgWireBackendMessage::DataRow(row?)).await?;
            }
            count += 1;
        }
    }

    fn encoded(&self, batch: &RecordBatch) -> Result<Messages, PgError> {
        Ok(Box::new(self.columns.rows(batch)?))
    }
}
