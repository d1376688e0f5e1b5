//! The sinks of a run: what each is told, and what became of it.

use super::kept::KeptOutbox;
use crate::source::{SourceOptions, Store, login};
use flow::error_text;
use futures::future::join_all;
use sink::{
    Aws, ClientOptions, Delivery, IncidentView, MemoryStorage, Outbox, OutboxError, Pace, RunView, Sink, Storage,
};

/// The folder of outboxes in the state.
pub const OUTBOX_FOLDER: &str = Outbox::<KeptOutbox>::FOLDER;

/// The sinks of a run.
#[derive(Debug)]
pub struct Sinks {
    /// The sinks, in the order in which they were named.
    pub sinks: Vec<Sink>,
    /// Which places requests reach.
    pub client: ClientOptions,
    /// How patient deliveries are.
    pub pace: Pace,
    kept: Option<KeptOutbox>,
    /// The login that signs requests to AWS, the same as for S3.
    source_options: SourceOptions,
}

/// What became of what a sink was due.
#[derive(Debug, Clone, Default)]
pub struct SinkOutcome {
    /// What messages call it.
    pub sink: String,
    /// Notices that arrived, that wait and that were refused, and why.
    pub delivery: Delivery,
    /// Whether what waits is kept for the next run.
    pub kept: bool,
}

impl Sinks {
    /// Names the sinks of a run; `state` is where what waits is kept.
    #[must_use]
    pub fn new(sinks: Vec<Sink>, client: ClientOptions, state: Option<Store>, options: SourceOptions) -> Self {
        Self { sinks, client, pace: Pace::default(), kept: state.map(KeptOutbox), source_options: options }
    }

    /// Notes new sinks, before a run keeps its incidents: they hear only of what changes after `before`. Failures show
    /// when notices are kept.
    pub async fn begin(&self, before: &[IncidentView]) {
        let Some(kept) = &self.kept else { return };
        for sink in &self.sinks {
            if let Err(error) = Outbox::new(kept, sink).begin(before).await {
                tracing::info!("{sink}: {}", error_text(&error));
            }
        }
    }

    /// Keeps what a run makes due, and sends what waits; all sinks at once. Where the outbox cannot be used, what is due
    /// is sent all the same.
    pub async fn tell(&self, run: &RunView) -> Vec<SinkOutcome> {
        if self.sinks.is_empty() {
            return Vec::new();
        }
        let aws = self.aws().await;
        join_all(self.sinks.iter().map(|sink| self.tell_one(sink, run, &aws))).await
    }

    async fn tell_one(&self, sink: &Sink, run: &RunView, aws: &Result<Option<Aws>, String>) -> SinkOutcome {
        let trouble = match &self.kept {
            None => None,
            Some(kept) => match Outbox::new(kept, sink).add(run).await {
                Ok(added) => {
                    let mut told = self.drain(kept, sink, aws).await;
                    if added.postponed > 0 && told.delivery.trouble.is_none() {
                        told.delivery.trouble = Some(format!("{} notices are due later", added.postponed));
                    }
                    return told;
                }
                Err(error) => Some(error_text(&error)),
            },
        };
        let storage = MemoryStorage::default();
        let outbox = Outbox::new(&storage, sink);
        // What the run did not change is no news.
        let is_old =
            |incident: &&IncidentView| !matches!(incident.change.as_str(), "opened" | "escalated" | "reopened");
        let old: Vec<IncidentView> = run.incidents.iter().filter(is_old).cloned().collect();
        let added = match outbox.begin(&old).await {
            Ok(()) => outbox.add(run).await,
            Err(error) => Err(error),
        };
        let mut told = match added {
            Ok(_) => self.drain(&storage, sink, aws).await,
            Err(error) => failed(sink, &error),
        };
        // Nothing counts as told, so what follows from the state is due again.
        told.kept = self.kept.is_some();
        let again = trouble.map(|trouble| format!("{trouble}, so the next run tells all of this again"));
        told.delivery.trouble = again.or(told.delivery.trouble);
        told
    }

    /// Sends what waits, without a run; what failed is told for each sink.
    pub async fn send(&self) -> Vec<SinkOutcome> {
        let Some(kept) = &self.kept else { return Vec::new() };
        let aws = self.aws().await;
        join_all(self.sinks.iter().map(|sink| self.drain(kept, sink, &aws))).await
    }

    /// Returns how many notices wait for sinks that are not named; 0 where that cannot be told.
    pub async fn left_waiting(&self) -> u64 {
        match &self.kept {
            Some(kept) => sink::left_waiting(kept, &self.sinks).await.unwrap_or(0),
            None => 0,
        }
    }

    /// Keeps a notice of an incident once more for each sink.
    ///
    /// # Errors
    /// [`OutboxError`] when the outbox cannot be used.
    pub async fn replay(&self, incident: &IncidentView) -> Result<(), OutboxError> {
        let Some(kept) = &self.kept else { return Ok(()) };
        for sink in &self.sinks {
            Outbox::new(kept, sink).replay(incident).await?;
        }
        Ok(())
    }

    /// Returns what would be sent, and keeps nothing: what waits already, then what a run makes due.
    ///
    /// # Errors
    /// [`OutboxError`] when the outbox cannot be read.
    pub async fn preview(&self, run: Option<&RunView>) -> Result<Vec<String>, OutboxError> {
        // What is shown is not sent, so nobody need sign it.
        let aws = Some(Aws::unsigned(self.source_options.region.clone()));
        let mut shown = Vec::new();
        for sink in &self.sinks {
            let notices = match &self.kept {
                Some(kept) => Outbox::new(kept, sink).due(run).await?,
                None => Outbox::new(&MemoryStorage::default(), sink).due(run).await?,
            };
            for notice in notices {
                shown.push(sink.preview(&notice, aws.as_ref()).unwrap_or_else(|error| format!("{sink}: {error}")));
            }
        }
        Ok(shown)
    }

    /// Returns what [`Sinks::replay`] would send of an incident.
    pub fn preview_replay(&self, incident: &IncidentView) -> Vec<String> {
        let aws = Aws::unsigned(self.source_options.region.clone());
        let notice = sink::replayed(incident);
        let shown = |sink: &Sink| sink.preview(&notice, Some(&aws)).unwrap_or_else(|error| format!("{sink}: {error}"));
        self.sinks.iter().map(shown).collect()
    }

    async fn drain<S: Storage>(&self, storage: &S, sink: &Sink, aws: &Result<Option<Aws>, String>) -> SinkOutcome {
        let outbox = Outbox::new(storage, sink);
        let delivery = match aws {
            Err(error) if sink.target.is_aws() => {
                let waiting = outbox.waiting().await.map_or(0, |(waiting, _)| waiting.len() as u64);
                let trouble = (waiting > 0).then(|| error.clone());
                Delivery { waiting, trouble, ..Delivery::default() }
            }
            aws => outbox.deliver(aws.as_ref().ok().and_then(Option::as_ref), self.client, self.pace).await,
        };
        SinkOutcome { sink: sink.name.clone(), delivery, kept: true }
    }

    /// Finds the login that signs requests to AWS, if any sink asks for it.
    async fn aws(&self) -> Result<Option<Aws>, String> {
        if !self.sinks.iter().any(|sink| sink.target.is_aws()) {
            return Ok(None);
        }
        let (credentials, region) = login(&self.source_options).await.map_err(|error| error_text(&error))?;
        Ok(Some(Aws { credentials, region }))
    }
}

fn failed(sink: &Sink, error: &OutboxError) -> SinkOutcome {
    let delivery = Delivery { trouble: Some(error_text(error)), ..Delivery::default() };
    SinkOutcome { sink: sink.name.clone(), delivery, kept: false }
}
