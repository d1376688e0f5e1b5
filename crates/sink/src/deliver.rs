//! Delivery: what waits is sent in order, with patience and within bounds.

use crate::answer::{Verdict, verdicts};
use crate::aws::Aws;
use crate::body::security_hub::finding_id;
use crate::client::{Client, ClientOptions};
use crate::notice::Notice;
use crate::outbox::{Outbox, Pending};
use crate::send::BatchError;
use crate::storage::Storage;
use crate::target::Target;
use flow::error_text;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant, SystemTime};

/// How patient a delivery is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often one request is tried.
    pub tries: u32,
    /// The longest wait after the first try; it doubles with each.
    pub wait: Duration,
    /// The longest wait between two tries that the receiver did not ask for.
    pub most_wait: Duration,
    /// The time for one sink, after which the rest waits for the next run.
    pub budget: Duration,
    /// The time between two messages to receivers that take one a second.
    pub between: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            tries: 5,
            wait: Duration::from_millis(500),
            most_wait: Duration::from_secs(8),
            budget: Duration::from_secs(60),
            between: Duration::from_secs(1),
        }
    }
}

/// What became of what waited for a sink.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Notices that arrived.
    pub sent: u64,
    /// Notices that still wait.
    pub waiting: u64,
    /// Notices that the receiver will never take; they are put aside.
    pub refused: u64,
    /// Why not all arrived, without secrets.
    pub trouble: Option<String>,
}

impl<S: Storage> Outbox<'_, S> {
    /// Sends what waits. Nothing is removed before it has arrived.
    pub async fn deliver(&self, aws: Option<&Aws>, options: ClientOptions, pace: Pace) -> Delivery {
        let mut delivery = Delivery::default();
        let mut waiting = match self.waiting().await {
            Ok((waiting, damaged)) => {
                if let Some(first) = damaged.first() {
                    delivery.trouble = Some(format!("{first} is damaged and cannot be sent"));
                }
                waiting
            }
            Err(error) => {
                delivery.trouble = Some(error_text(&error));
                return delivery;
            }
        };
        if let Err(trouble) = self.drain(&mut waiting, &mut delivery, aws, options, pace).await {
            delivery.trouble = Some(self.sink.masked(&trouble));
        }
        delivery.waiting = waiting.len() as u64;
        delivery
    }

    async fn drain(
        &self,
        waiting: &mut Vec<Pending>,
        delivery: &mut Delivery,
        aws: Option<&Aws>,
        options: ClientOptions,
        pace: Pace,
    ) -> Result<(), String> {
        if waiting.is_empty() {
            return Ok(());
        }
        let until = Instant::now() + pace.budget;
        let url = self.sink.url(aws)?;
        let client = Client::open(&url, self.reached(options)).await;
        let client = client.map_err(|error| error_text(&error))?;
        let mut most = usize::MAX;
        let mut tries = 0;
        let mut refusal = None;
        while !waiting.is_empty() {
            let notices: Vec<Notice> =
                waiting.iter().take(most.min(self.sink.target.takes())).map(|one| one.notice.clone()).collect();
            let batch = match self.sink.batch(&notices, most, aws, SystemTime::now()) {
                Ok(batch) => batch,
                // Such as a digest that was kept for a chat of the same name: it must not hold up the others.
                Err(BatchError::Unfit(reason)) => {
                    let first = waiting.remove(0);
                    refusal.get_or_insert(format!("{}: {reason}", first.notice.key()));
                    delivery.refused += 1;
                    self.refuse(&first).await.map_err(|error| error_text(&error))?;
                    continue;
                }
                Err(BatchError::Failed(reason)) => return Err(reason),
            };
            tries += 1;
            let judged = match client.send(&batch.request).await {
                Ok(answer) => {
                    let id = |one: &Pending| {
                        one.notice.of_incident().map(|about| finding_id(&about.incident.id)).unwrap_or_default()
                    };
                    let ids: Vec<String> = waiting[..batch.takes].iter().map(id).collect();
                    verdicts(&self.sink.target, &answer, &ids)
                }
                Err(error) if error.is_passing() => vec![Verdict::Later(error_text(&error), None); batch.takes],
                Err(error) => return Err(error_text(&error)),
            };
            // One bad notice can make a receiver refuse all that came with it: each is sent alone then.
            if batch.takes > 1 && judged.iter().all(|verdict| matches!(verdict, Verdict::Refused(_))) {
                (most, tries) = (1, 0);
                continue;
            }
            let Settled { later, refused } = self.settle(waiting, judged, delivery).await?;
            refusal = refusal.or(refused);
            let Some((reason, after)) = later else {
                tries = 0;
                // Chats take about one message a second.
                if !waiting.is_empty() && self.sink.target.is_chat() {
                    tokio::time::sleep(pace.between).await;
                }
                if Instant::now() >= until && !waiting.is_empty() {
                    return Err(format!("the {} s for one sink are over", pace.budget.as_secs()));
                }
                continue;
            };
            if tries >= pace.tries {
                return Err(format!("{reason} (tried {tries} times)"));
            }
            let wait = after.unwrap_or_else(|| jittered(pace, tries));
            // No sum of times: a receiver may ask for more seconds than a clock holds.
            if wait >= until.saturating_duration_since(Instant::now()) {
                let asked =
                    if after.is_some() { format!(" and asks to wait {} s", wait.as_secs()) } else { String::new() };
                return Err(format!("{reason}{asked}"));
            }
            tokio::time::sleep(wait).await;
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Removes what arrived and puts aside what was refused; returns why the others wait.
    async fn settle(
        &self,
        waiting: &mut Vec<Pending>,
        judged: Vec<Verdict>,
        delivery: &mut Delivery,
    ) -> Result<Settled, String> {
        let mut settled = Settled::default();
        let mut kept = Vec::new();
        let mut shut = None;
        // All are settled before the first failure of the storage is told: what arrived is counted and removed.
        let mut failed = None;
        for (pending, verdict) in waiting.drain(..judged.len()).zip(judged) {
            match verdict {
                Verdict::Arrived => {
                    delivery.sent += 1;
                    if let Err(error) = self.storage.delete(&pending.name).await {
                        failed.get_or_insert(format!("what was sent cannot be removed from the outbox: {error}"));
                    }
                }
                Verdict::Refused(reason) => {
                    settled.refused = Some(format!("{}: {reason}", pending.notice.key()));
                    match self.refuse(&pending).await {
                        Ok(()) => delivery.refused += 1,
                        Err(error) => {
                            failed
                                .get_or_insert(format!("what was refused cannot be put aside: {}", error_text(&error)));
                            kept.push(pending);
                        }
                    }
                }
                Verdict::Later(reason, after) => {
                    settled.later = Some((reason, after));
                    kept.push(pending);
                }
                Verdict::Shut(reason) => {
                    shut = Some(reason);
                    kept.push(pending);
                }
            }
        }
        waiting.splice(0..0, kept);
        failed.or(shut).map_or(Ok(settled), Err)
    }

    /// Returns how far requests reach: AWS's own addresses are private where a VPC has endpoints.
    fn reached(&self, mut options: ClientOptions) -> ClientOptions {
        let own = matches!(
            &self.sink.target,
            Target::SecurityHub { endpoint: None, .. }
                | Target::EventBridge { endpoint: None, .. }
                | Target::Sns { endpoint: None, .. }
        );
        options.reach.private |= own;
        options
    }
}

/// What became of the notices of one request.
#[derive(Default)]
struct Settled {
    /// Why some wait, and how long at least.
    later: Option<(String, Option<Duration>)>,
    /// Why some were refused.
    refused: Option<String>,
}

/// Returns a wait before the next try, between half of a bound and the bound, which doubles with each try: many runs do
/// not come back at once.
fn jittered(pace: Pace, tries: u32) -> Duration {
    let bound = pace.wait.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(pace.most_wait);
    let random = RandomState::new().hash_one(tries) as f64 / u64::MAX as f64;
    bound.mul_f64(0.5 + 0.5 * random)
}
