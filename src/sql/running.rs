//! A plan that runs: on threads of its own, all partitions at once, its rows in the order of the partitions.

use arrow::array::RecordBatch;
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::physical_plan::{ExecutionPlan, execute_stream_partitioned};
use futures::StreamExt;
use std::sync::Arc;
use tokio::runtime::{EnterGuard, Handle, Runtime};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinSet;

/// Batches of a partition that wait while those of the partitions before it are written.
const WAITING_BATCHES: usize = 16;
/// Stack of a thread, of which only what is used takes memory: planning and evaluation walk deep expressions by recursion.
const STACK_BYTES: usize = 64 << 20;

/// Threads that are let go without a look back: what they are at when nobody wants it any more ends in its own time.
#[derive(Debug)]
pub struct PlanThreads(Option<Runtime>);

impl PlanThreads {
    /// Starts `count` threads, one at least.
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

    /// Takes over a runtime, which ends with the value.
    pub fn of(runtime: Runtime) -> Self {
        Self(Some(runtime))
    }

    /// What is spawned while the guard lives runs on these threads.
    pub fn enter(&self) -> Option<EnterGuard<'_>> {
        self.0.as_ref().map(Runtime::enter)
    }

    /// Where tasks of these threads are spawned.
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

/// A batch, an error, or `None` at the end of a partition: a partition that stops without it was cut off.
type Part = Option<Result<RecordBatch, DataFusionError>>;

/// The rows of a running plan; dropping them ends it.
#[derive(Debug)]
pub struct Rows {
    batches: Receiver<Part>,
    ended: bool,
    _tasks: JoinSet<()>,
}

impl Rows {
    /// Starts all partitions of a plan at once on `threads`, and gives their rows one partition after the other, so that
    /// the order of the rows does not depend on which is faster.
    ///
    /// # Errors
    /// When the plan cannot begin.
    pub fn start(
        plan: Arc<dyn ExecutionPlan>,
        context: Arc<TaskContext>,
        threads: &PlanThreads,
    ) -> Result<Self, DataFusionError> {
        // Operators start tasks of their own, which belong to the plan's threads too.
        let _inside = threads.enter();
        let streams = execute_stream_partitioned(plan, context)?;
        let mut tasks = JoinSet::new();
        let mut partitions = Vec::with_capacity(streams.len());
        for mut stream in streams {
            let (sender, receiver) = channel(WAITING_BATCHES);
            tasks.spawn(async move {
                while let Some(batch) = stream.next().await {
                    if sender.send(Some(batch)).await.is_err() {
                        return;
                    }
                }
                let _ = sender.send(None).await;
            });
            partitions.push(receiver);
        }
        let (sender, batches) = channel(1);
        tasks.spawn(one_after_the_other(partitions, sender));
        Ok(Self { batches, ended: false, _tasks: tasks })
    }

    /// The next rows; `None` at the end. May be dropped while it waits and called again.
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

/// Hands on the batches of the first partition, then those of the second, up to the first error.
async fn one_after_the_other(partitions: Vec<Receiver<Part>>, to: Sender<Part>) {
    for mut partition in partitions {
        loop {
            match partition.recv().await {
                Some(Some(batch)) => {
                    let failed = batch.is_err();
                    if to.send(Some(batch)).await.is_err() || failed {
                        return;
                    }
                }
                Some(None) => break,
                // The sender of the partition died; so does ours, which says as much.
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

    async fn collect(partitions: Vec<Vec<Part>>) -> Vec<Result<i64, String>> {
        let mut receivers = Vec::new();
        for parts in partitions {
            let (sender, receiver) = channel(8);
            for part in parts {
                sender.send(part).await.unwrap();
            }
            receivers.push(receiver);
        }
        let (sender, batches) = channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(one_after_the_other(receivers, sender));
        let mut rows = Rows { batches, ended: false, _tasks: tasks };
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
}
