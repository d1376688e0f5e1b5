//! A month of daily runs in which one request and one access of the state in ten fail, before or after they took effect:
//! no incident is lost, each arrives in order, and repetitions carry the key that they had.

use crate::receiver::{Receiver, Reply, incident, pace, run, webhook};
use flow::Severity;
use flowsift_sink::{ClientOptions, IncidentView, MemoryStorage, Moment, Outbox, Pace, Reach, Storage, StorageError};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const LOOPBACK: ClientOptions =
    ClientOptions { reach: Reach { private: false, loopback: true }, timeout: Duration::from_millis(400) };

/// Numbers that look random and are the same each time.
struct Dice(AtomicU64);

impl Dice {
    fn below(&self, sides: u64) -> u64 {
        let mut x = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % sides
    }
}

/// A storage that fails one time in ten, half of those after it has done what was asked.
struct Faulty {
    inner: MemoryStorage,
    dice: Dice,
    sound: AtomicBool,
}

impl Faulty {
    fn before(&self) -> Result<(), StorageError> {
        self.fails().then_some(()).map_or(Ok(()), |()| Err(StorageError("lost".to_owned())))
    }

    fn fails(&self) -> bool {
        !self.sound.load(Ordering::Relaxed) && self.dice.below(20) == 0
    }
}

impl Storage for Faulty {
    type Version = u64;

    async fn list(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        self.before()?;
        self.inner.list(folder).await
    }

    async fn get(&self, name: &str) -> Result<Option<(Vec<u8>, u64)>, StorageError> {
        self.before()?;
        self.inner.get(name).await
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) -> Result<(), StorageError> {
        self.before()?;
        self.inner.put(name, bytes).await?;
        self.before()
    }

    async fn swap(&self, name: &str, bytes: Vec<u8>, expected: Option<&u64>) -> Result<bool, StorageError> {
        self.before()?;
        let swapped = self.inner.swap(name, bytes, expected).await?;
        self.before()?;
        Ok(swapped)
    }

    async fn delete(&self, name: &str) -> Result<(), StorageError> {
        self.before()?;
        self.inner.delete(name).await?;
        self.before()
    }
}

/// One day of the lives of incidents.
fn next_day(incidents: &mut Vec<IncidentView>, dice: &Dice, day: i64) {
    for one in incidents.iter_mut() {
        one.change = "unchanged".to_owned();
        let (change, changed) = match (one.status.as_str(), dice.below(8)) {
            ("open", 0) => ("escalated", one.severity < Severity::Critical),
            ("open", 1) => ("closed", true),
            ("open", 2) => ("extended", true),
            ("closed", 0) => ("reopened", true),
            _ => continue,
        };
        if !changed {
            continue;
        }
        if change == "escalated" {
            one.severity = one.severity.raised();
        }
        one.status = if change == "closed" { "closed" } else { "open" }.to_owned();
        one.change = change.to_owned();
        one.revision += 1;
        one.updated_at = Moment(1_713_571_200 + 86_400 * day);
    }
    for _ in 0..dice.below(4) {
        let mut one = incident('a', 1, Severity::Medium);
        one.id = format!("{:032x}", incidents.len());
        one.updated_at = Moment(1_713_571_200 + 86_400 * day);
        incidents.push(one);
    }
}

#[tokio::test]
async fn a_month_with_faults_loses_no_incident() {
    let dice = Dice(AtomicU64::new(7));
    let faults = [Reply::Status(503), Reply::Cut, Reply::CutBody, Reply::Status(500), Reply::Redirect];
    let script = (0..400).map(|_| match dice.below(10) {
        0 => faults[dice.below(5) as usize],
        _ => Reply::Status(200),
    });
    let receiver = Receiver::start(script.collect()).await;
    let sink = webhook(&receiver, "");
    let storage = Faulty { inner: MemoryStorage::default(), dice: Dice(AtomicU64::new(11)), sound: false.into() };
    let outbox = Outbox::new(&storage, &sink);
    let (mut incidents, mut failed) = (Vec::new(), 0);
    let fast = Pace { wait: Duration::from_millis(1), most_wait: Duration::from_millis(2), ..pace() };
    storage.sound.store(true, Ordering::Relaxed);
    outbox.begin(&[]).await.unwrap();
    storage.sound.store(false, Ordering::Relaxed);
    for day in 0..30 {
        next_day(&mut incidents, &dice, day);
        let mut now = run(&incidents);
        now.window_to_s = Some(1_713_571_200 + 86_400 * day);
        failed += usize::from(outbox.add(&now).await.is_err());
        failed += usize::from(outbox.deliver(None, LOOPBACK, fast).await.trouble.is_some());
    }
    storage.sound.store(true, Ordering::Relaxed);
    outbox.add(&run(&incidents)).await.unwrap();
    // The script of faults is as good as over; what is left of it costs tries.
    for _ in 0..5 {
        outbox.deliver(None, LOOPBACK, fast).await;
    }
    assert_eq!(outbox.waiting().await.unwrap().0.len(), 0);
    let mut heard = BTreeMap::<String, Vec<(u32, String)>>::new();
    let mut keys = BTreeMap::<String, usize>::new();
    let mut news = BTreeMap::<(String, u64), String>::new();
    for came in receiver.requests() {
        let body: serde_json::Value = serde_json::from_str(&came.body).unwrap();
        let one = &body["incident"];
        let text = |name: &str| one[name].as_str().unwrap().to_owned();
        heard.entry(text("id")).or_default().push((one["revision"].as_u64().unwrap() as u32, text("severity")));
        let key = came.header("idempotency-key").to_owned();
        let of = news.entry((text("id"), one["revision"].as_u64().unwrap())).or_insert_with(|| key.clone());
        assert_eq!(*of, key, "a repetition has the key that it had");
        *keys.entry(key).or_default() += 1;
    }
    assert!(failed > 5 && incidents.len() > 20, "{failed} runs of {} incidents failed", incidents.len());
    for one in incidents.iter().filter(|one| one.is_open()) {
        let of_one = heard.get(&one.id).unwrap_or_else(|| panic!("{} was lost", one.id));
        assert!(of_one.is_sorted_by_key(|(revision, _)| *revision), "{of_one:?}");
        assert_eq!(of_one.last().unwrap().1, one.severity.as_str(), "the last word is the newest");
    }
    let repeated: usize = keys.values().map(|times| times - 1).sum();
    assert!(repeated < receiver.requests().len() / 3, "{repeated} of {}", receiver.requests().len());
}
