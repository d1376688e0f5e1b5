//! Connections whose clients have not logged in: a small number, and when it is reached, the one that has waited longest
//! makes room. So sockets that say nothing keep nobody out.

use memory::lock;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::sync::oneshot;

/// Connections of strangers at a time.
const MAX_STRANGERS: usize = 64;

/// The strangers.
#[derive(Debug, Default)]
pub(in crate::serve) struct Strangers {
    waiting: Mutex<WaitingStrangers>,
}

#[derive(Debug, Default)]
struct WaitingStrangers {
    next: u64,
    /// How to tell each to leave, the one that came first in front.
    by_arrival: BTreeMap<u64, oneshot::Sender<()>>,
}

/// The place of a stranger, until it is dropped.
#[derive(Debug)]
pub(in crate::serve) struct StrangersPlace {
    strangers: Arc<Strangers>,
    number: u64,
    told: oneshot::Receiver<()>,
}

impl Strangers {
    /// Registers a connection that has not logged in yet.
    pub(in crate::serve) fn come(self: &Arc<Self>) -> StrangersPlace {
        let (tell, told) = oneshot::channel();
        let mut waiting = lock(&self.waiting);
        while waiting.by_arrival.len() >= MAX_STRANGERS {
            let Some((_, first)) = waiting.by_arrival.pop_first() else { break };
            let _ = first.send(());
        }
        let number = waiting.next;
        waiting.next += 1;
        waiting.by_arrival.insert(number, tell);
        StrangersPlace { strangers: self.clone(), number, told }
    }
}

impl StrangersPlace {
    /// Waits until another stranger needs the place.
    pub(in crate::serve) async fn needed(&mut self) {
        let _ = (&mut self.told).await;
    }
}

impl Drop for StrangersPlace {
    fn drop(&mut self) {
        lock(&self.strangers.waiting).by_arrival.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_has_waited_longest_makes_room() {
        let strangers = Arc::new(Strangers::default());
        let mut first = strangers.come();
        let mut others: Vec<StrangersPlace> = (1..MAX_STRANGERS).map(|_| strangers.come()).collect();
        assert!(first.told.try_recv().is_err() && others[0].told.try_recv().is_err());
        drop(others.pop());
        others.push(strangers.come());
        assert!(first.told.try_recv().is_err(), "one had left");
        others.push(strangers.come());
        first.needed().await;
        assert!(others.iter_mut().all(|other| other.told.try_recv().is_err()));
        drop(first);
        assert_eq!(lock(&strangers.waiting).by_arrival.len(), MAX_STRANGERS);
    }
}
