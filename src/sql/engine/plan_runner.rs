//! Runs a plan on threads of its own: all partitions at once, with the rows in the order of the partitions.
//!
//! Written against DataFusion 55.2; `many_small_batches_wait_without_holding_up_their_partition` fails when partitions
//! no longer run side by side.

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;
use std::sync::Arc;
use tokio::runtime::{EnterGuard, Handle, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, UnboundedReceiver, channel, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Rows of a partition that may wait while those of earlier partitions are written.
const WAITING_ROWS: usize = 16 * 8192;
/// Minimum number of rows that a batch is counted as: many batches of a few rows each, as from a look-up, may wait.
const MIN_BATCH_ROWS: usize = 64;
/// Stack size of a thread; only what is used takes memory. Planning and evaluation walk deep expressions by recursion.
const STACK_BYTES: usize = 64 << 20;

/// Threads that are not waited for when dropped: work that nobody needs any more ends in its own time.
#[derive(Debug)]
pub struct PlanThreads(Option<Runtime>);

impl PlanThreads {
    /// Starts `count` threads, at least one.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(count: usize) -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(count.max(1))
            .thread_stack_size(STACK_BYTES)
            .enable_all()
            .thread_name("flowsift-sql")
            .build()?;
        Ok(Self(Some(runtime)))
    }

    /// Takes over a runtime, which is shut down when the value is dropped.
    pub fn of(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    /// Enters the runtime: tasks spawned while the guard lives run on these threads.
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    /// Returns where tasks of these threads are spawned.
    pub fn handle(&self) -> Option<&Handle> {
        self.0.as_ref().map(Runtime::handle)
    }
}

impl Drop for PlanThreads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A batch, an error, or `None` at the end of a partition. A channel that closes without `None` was cut off.
type PartitionItem = Option<Result<RecordBatch, DataFusionError>>;

/// A batch of a partition, with its share of the waiting room.
#[derive(Debug)]
struct QueuedItem {
    part: PartitionItem,
    _room: Option<OwnedSemaphorePermit>,
}

/// The rows of a running plan; dropping the value stops the plan.
#[derive(Debug)]
pub struct PlanRows {
    batches: Receiver<PartitionItem>,
    ended: bool,
    _tasks: JoinSet<()>,
}

impl PlanRows {
    /// Starts all partitions of a plan at once on `threads`, and returns their rows one partition after the other, so
    /// the order of the rows does not depend on which partition is faster.
    ///
    /// # Errors
    /// When the plan cannot start.
    pub fn start(
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        threads: &PlanThreads,
    ) -> Result<Self, DataFusionError> {
        // Operators spawn tasks of their own, which also belong on the plan's threads.
        let _inside = threads.enter();
        let streams = execute_stream_partitioned(plan, context)?;
        let mut tasks = JoinSet::new();
        let mut partitions = Vec::with_capacity(streams.len());
        for mut stream in streams {
            let (sender, receiver) = unbounded_channel();
            let room = Arc::new(Semaphore::new(WAITING_ROWS));
            tasks.spawn(async move {
                while let Some(batch) = stream.next().await {
                    let rows = batch.as_ref().map_or(0, RecordBatch::num_rows).clamp(MIN_BATCH_ROWS, WAITING_ROWS);
                    let Ok(room) = room.clone().acquire_many_owned(rows as u32).await else { return };
                    if sender.send(QueuedItem { part: Some(batch), _room: Some(room) }).is_err() {
                        return;
                    }
                }
                let _ = sender.send(QueuedItem { part: None, _room: None });
            });
            partitions.push(receiver);
        }
        let (sender, batches) = channel(1);
        tasks.spawn(one_after_the_other(partitions, sender));
        Ok(Self { batches, ended: false, _tasks: tasks })
    }

    /// Returns the next rows; `None` at the end. Cancel-safe: the future may be dropped and the method called again.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, DataFusionError>> {
        if self.ended {
            return None;
        }
        let next = match self.batches.recv().await {
            Some(next) => next,
            None => Some(Err(DataFusionError::Execution("a part of the plan was cut off: a bug of flowsift".into()))),
        };
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Forwards the batches of the first partition, then those of the second, up to the first error.
async fn one_after_the_other(partitions: Vec<UnboundedReceiver<QueuedItem>>, to: Sender<PartitionItem>) {
    for mut partition in partitions {
        loop {
            match partition.recv().await.map(|waiting| waiting.part) {
                Some(Some(batch)) => {
                    let failed = batch.is_err();
                    if to.send(Some(batch)).await.is_err() || failed {
                        return;
                    }
                }
                Some(None) => break,
                // The partition's sender was dropped without an end; closing ours reports the same.
                None => return,
            }
        }
    }
    let _ = to.send(None).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;

    fn batch(number: i64) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![number])) as ArrayRef)]).unwrap()
    }

    async fn collect(partitions: Vec<Vec<PartitionItem>>) -> Vec<Result<i64, String>> {
        let mut receivers = Vec::new();
        for parts in partitions {
            let (sender, receiver) = unbounded_channel();
            for part in parts {
                sender.send(QueuedItem { part, _room: None }).unwrap();
            }
            receivers.push(receiver);
        }
        let (sender, batches) = channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(one_after_the_other(receivers, sender));
        let mut rows = PlanRows { batches, ended: false, _tasks: tasks };
        let mut found = Vec::new();
        while let Some(next) = rows.next().await {
            found.push(match next {
                Ok(batch) => Ok(batch.column(0).as_primitive::<Int64Type>().value(0)),
                Err(error) => Err(error.strip_backtrace()),
            });
        }
        found
    }

    #[tokio::test]
    async fn rows_come_in_order_and_a_lost_partition_is_an_error() {
        let whole =
            vec![vec![Some(Ok(batch(1))), Some(Ok(batch(2))), None], vec![None], vec![Some(Ok(batch(3))), None]];
        assert_eq!(collect(whole).await, [Ok(1), Ok(2), Ok(3)]);
        let cut = vec![vec![Some(Ok(batch(1)))], vec![Some(Ok(batch(3))), None]];
        let found = collect(cut).await;
        assert_eq!(found[0], Ok(1));
        assert!(found.len() == 2 && found[1].as_ref().unwrap_err().contains("cut off"), "{found:?}");
    }

    /// Partitions of 200 batches of one row each; the first ends only when the second has, so both must run at once.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_small_batches_wait_without_holding_up_their_partition() {
        use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
        use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

        #[derive(Debug)]
        struct Small {
            schema: datafusion::arrow::datatypes::SchemaRef,
            second: bool,
            ended: Arc<tokio::sync::Notify>,
        }
        impl PartitionStream for Small {
            fn schema(&self) -> &datafusion::arrow::datatypes::SchemaRef {
                &self.schema
            }
            fn execute(&self, _: Arc<TaskContext>) -> datafusion::execution::SendableRecordBatchStream {
                let (second, ended) = (self.second, self.ended.clone());
                let batches = futures::stream::iter(0..200i64).then(move |number| {
                    let ended = ended.clone();
                    async move {
                        match (second, number) {
                            (true, 199) => ended.notify_one(),
                            (false, 0) => ended.notified().await,
                            _ => {}
                        }
                        Ok(batch(number + if second { 200 } else { 0 }))
                    }
                });
                Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
            }
        }
        let (schema, ended) = (batch(0).schema(), Arc::new(tokio::sync::Notify::new()));
        let part = |second| -> Arc<dyn PartitionStream> {
            Arc::new(Small { schema: schema.clone(), second, ended: ended.clone() })
        };
        let plan = StreamingTableExec::try_new(schema.clone(), vec![part(false), part(true)], None, [], false, None);
        let threads = PlanThreads::start(2).unwrap();
        let mut rows = PlanRows::start(Arc::new(plan.unwrap()), Arc::default(), &threads).unwrap();
        let mut found = Vec::new();
        let all = async {
            while let Some(next) = rows.next().await {
                found.push(next.unwrap().column(0).as_primitive::<Int64Type>().value(0));
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("a partition waits for ever");
        assert_eq!(found, (0..400).collect::<Vec<i64>>());
    }
}
