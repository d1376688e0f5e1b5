//! Runs a plan on threads of its own: all partitions at once, with the rows in the order of the partitions.
//!
//! Written against DataFusion 55.2; `many_small_batches_wait_without_holding_up_their_partition` fails when partitions
//! no longer run side by side.

use crate::sql::bounds::batch_bytes;
use crate::sql::waiting_rows::waiting_rows;
use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::runtime::{EnterGuard, Handle, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

/// Kilobytes of a partition's rows that may wait while those of earlier partitions are sent; one batch always may.
const WAITING_KB: usize = 512;
/// Bytes of a batch that waits uncounted where the memory for waiting rows is used up, one for each partition: clients
/// that do not read cannot make the statements of others fail.
const UNCOUNTED_BYTES: usize = 4 << 20;
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

/// A batch of a partition that waits, with its share of the waiting room and of the memory.
#[derive(Debug)]
struct QueuedItem {
    part: PartitionItem,
    _room: Option<OwnedSemaphorePermit>,
    taken: Option<MemoryReservation>,
}

/// The rows of a running plan; dropping the value stops the plan.
///
/// Whoever does not ask for rows stops it, too: each partition holds a batch or two, which the session's memory counts as
/// far as it has room for waiting rows. Beyond, each partition holds one batch.
#[derive(Debug)]
pub struct PlanRows {
    partitions: VecDeque<UnboundedReceiver<QueuedItem>>,
    /// The memory of the rows returned last.
    current: Option<MemoryReservation>,
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
        let pool = context.memory_pool().clone();
        let streams = execute_stream_partitioned(plan, context)?;
        let mut tasks = JoinSet::new();
        let mut partitions = VecDeque::with_capacity(streams.len());
        for stream in streams {
            let (sender, receiver) = unbounded_channel();
            tasks.spawn(run_partition(stream, sender, pool.clone()));
            partitions.push_back(receiver);
        }
        Ok(Self { partitions, current: None, _tasks: tasks })
    }

    /// Returns the next rows; `None` at the end. Cancel-safe: the future may be dropped and the method called again.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, DataFusionError>> {
        self.current = None;
        loop {
            let next = self.partitions.front_mut()?.recv().await;
            let Some(QueuedItem { part, taken, .. }) = next else {
                self.partitions.clear();
                let cut = "a part of the plan was cut off: a bug of flowsift";
                return Some(Err(DataFusionError::Execution(cut.to_owned())));
            };
            match part {
                Some(Ok(batch)) => {
                    self.current = taken;
                    return Some(Ok(batch));
                }
                Some(Err(error)) => {
                    self.partitions.clear();
                    return Some(Err(error));
                }
                None => drop(self.partitions.pop_front()),
            }
        }
    }
}

/// Runs one partition as far as there is room for its rows. A batch that gets no memory is the last until it is taken.
async fn run_partition(
    mut stream: SendableRecordBatchStream,
    sender: UnboundedSender<QueuedItem>,
    pool: Arc<dyn MemoryPool>,
) {
    let room = Arc::new(Semaphore::new(WAITING_KB));
    loop {
        // Room for a kilobyte is room for a batch: none is made that would have to wait outside.
        let Ok(mut share) = room.clone().acquire_owned().await else { return };
        let Some(batch) = stream.next().await else { break };
        let bytes = batch.as_ref().map_or(0, batch_bytes);
        let more = (bytes / 1_024).min(room.available_permits());
        if let Ok(more) = room.clone().try_acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX)) {
            share.merge(more);
        }
        let (batch, taken) = match batch.and_then(|batch| Ok((batch, counted(bytes, &pool)?))) {
            Ok((batch, taken)) => (Ok(batch), taken),
            Err(error) => (Err(error), None),
        };
        let (failed, uncounted) = (batch.is_err(), taken.is_none());
        let sent = sender.send(QueuedItem { part: Some(batch), _room: Some(share), taken });
        if sent.is_err() || failed {
            return;
        }
        // All of the room is free when nothing waits.
        if uncounted && room.acquire_many(WAITING_KB as u32).await.is_err() {
            return;
        }
    }
    let _ = sender.send(QueuedItem { part: None, _room: None, taken: None });
}

/// Returns the memory of a batch that waits; `None` for one that waits uncounted.
///
/// # Errors
/// When the batch is too large for that, and the pool has no room for it.
fn counted(bytes: usize, pool: &Arc<dyn MemoryPool>) -> Result<Option<MemoryReservation>, DataFusionError> {
    let taken = waiting_rows(pool);
    if taken.try_grow(bytes).is_ok() {
        return Ok(Some(taken));
    }
    if bytes <= UNCOUNTED_BYTES {
        return Ok(None);
    }
    let taken = MemoryConsumer::new("a batch of rows").register(pool);
    taken.try_grow(bytes)?;
    Ok(Some(taken))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, AsArray, Int64Array};
    use arrow::datatypes::Int64Type;
    use datafusion::execution::memory_pool::GreedyMemoryPool;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn batch(number: i64) -> RecordBatch {
        RecordBatch::try_from_iter([("n", Arc::new(Int64Array::from(vec![number])) as ArrayRef)]).unwrap()
    }

    async fn collect(partitions: Vec<Vec<PartitionItem>>) -> Vec<Result<i64, String>> {
        let mut receivers = VecDeque::new();
        for parts in partitions {
            let (sender, receiver) = unbounded_channel();
            for part in parts {
                sender.send(QueuedItem { part, _room: None, taken: None }).unwrap();
            }
            receivers.push_back(receiver);
        }
        let mut rows = PlanRows { partitions: receivers, current: None, _tasks: JoinSet::new() };
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

    /// Runs two endless partitions of batches of 800 KB; also returns the number of batches made so far.
    fn endless(pool: &Arc<dyn MemoryPool>, threads: &PlanThreads) -> (PlanRows, Arc<AtomicUsize>) {
        use datafusion::execution::runtime_env::RuntimeEnvBuilder;
        use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
        use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

        #[derive(Debug)]
        struct Endless {
            schema: datafusion::arrow::datatypes::SchemaRef,
            made: Arc<AtomicUsize>,
        }
        impl PartitionStream for Endless {
            fn schema(&self) -> &datafusion::arrow::datatypes::SchemaRef {
                &self.schema
            }
            fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
                let made = self.made.clone();
                let batches = futures::stream::repeat_with(move || {
                    made.fetch_add(1, Ordering::Relaxed);
                    let column: ArrayRef = Arc::new(Int64Array::from(vec![1; 100_000]));
                    RecordBatch::try_from_iter([("n", column)]).map_err(DataFusionError::from)
                });
                Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), batches))
            }
        }
        let (schema, made) = (batch(0).schema(), Arc::new(AtomicUsize::new(0)));
        let part = || -> Arc<dyn PartitionStream> { Arc::new(Endless { schema: schema.clone(), made: made.clone() }) };
        let plan = StreamingTableExec::try_new(schema.clone(), vec![part(), part()], None, [], true, None).unwrap();
        let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool.clone()).build_arc().unwrap();
        let context = Arc::new(TaskContext::default().with_runtime(runtime));
        (PlanRows::start(Arc::new(plan), context, threads).unwrap(), made)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_plan_stops_when_nobody_takes_its_rows() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(100 << 20));
        let threads = PlanThreads::start(2).unwrap();
        let (mut rows, made) = endless(&pool, &threads);
        rows.next().await.unwrap().unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let waiting = made.load(Ordering::Relaxed);
        assert!(waiting <= 8, "{waiting} batches were made for one that was taken");
        assert!((1_000_000..8_000_000).contains(&pool.reserved()), "{} bytes are counted", pool.reserved());
        rows.next().await.unwrap().unwrap();
        drop((rows, threads));
        for _ in 0..100 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            if pool.reserved() == 0 {
                return;
            }
        }
        panic!("{} bytes are still counted", pool.reserved());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn without_memory_one_batch_of_each_partition_waits() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1_000_000));
        let others = MemoryConsumer::new("others").register(&pool);
        others.try_grow(1_000_000).unwrap();
        let threads = PlanThreads::start(2).unwrap();
        let (mut rows, made) = endless(&pool, &threads);
        for taken in 1..=5 {
            assert_eq!(rows.next().await.unwrap().unwrap().num_rows(), 100_000);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let made = made.load(Ordering::Relaxed);
            assert!(made <= taken + 2, "{made} batches were made for {taken} that were taken");
        }
        assert_eq!(pool.reserved(), 1_000_000);
        assert!(counted(UNCOUNTED_BYTES, &pool).unwrap().is_none());
        let refused = counted(UNCOUNTED_BYTES + 1, &pool).unwrap_err().strip_backtrace();
        assert!(refused.contains("a batch of rows"), "{refused}");
    }
}
