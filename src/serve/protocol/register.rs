//! The open connections, by the keys with which their statements can be cancelled.

use crate::serve::protocol::signals::Signals;
use memory::lock;
use pgwire::api::{ClientInfo, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// The open connections.
#[derive(Debug, Default)]
pub(in crate::serve) struct Register {
    keys: RandomPidSecretKeyGenerator,
    open: Mutex<HashMap<i32, (SecretKey, Arc<Signals>)>>,
}

impl Register {
    /// Cancels the statement of the connection that has this key; other keys are silently ignored.
    pub(in crate::serve) fn cancel(&self, request: &CancelRequest) {
        let open = lock(&self.open);
        if let Some((key, signals)) = open.get(&request.pid)
            && key.eq_value(&request.secret_key)
        {
            signals.cancel();
        }
    }

    /// Removes a connection.
    pub(in crate::serve) fn leave(&self, pid: i32) {
        lock(&self.open).remove(&pid);
    }
}

/// Assigns a connection its key after login, and registers it.
#[derive(Debug)]
pub(in crate::serve) struct Entry {
    pub(in crate::serve) register: Arc<Register>,
    pub(in crate::serve) signals: Arc<Signals>,
}

impl PidSecretKeyGenerator for Entry {
    fn generate(&self, client: &dyn ClientInfo) -> (i32, SecretKey) {
        let (pid, key) = self.register.keys.generate(client);
        let mut open = lock(&self.register.open);
        open.insert(pid, (key.clone(), self.signals.clone()));
        (pid, key)
    }
}
