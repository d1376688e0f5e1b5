//! The connections that are open, by the keys with which their statements can be cancelled.

use crate::serve::protocol::signals::Signals;
use pgwire::api::{ClientInfo, PidSecretKeyGenerator, RandomPidSecretKeyGenerator};
use pgwire::messages::cancel::CancelRequest;
use pgwire::messages::startup::SecretKey;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The open connections.
#[derive(Debug, Default)]
pub(in crate::serve) struct Register {
    keys: RandomPidSecretKeyGenerator,
    open: Mutex<HashMap<i32, (SecretKey, Arc<Signals>)>>,
}

impl Register {
    /// Cancels the statement of the connection that has this key; other keys are answered with silence.
    pub(in crate::serve) fn cancel(&self, request: &CancelRequest) {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, signals)) = open.get(&request.pid)
            && key.eq_value(&request.secret_key)
        {
            signals.cancel();
        }
    }

    /// Takes a connection out.
    pub(in crate::serve) fn leave(&self, pid: i32) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    }
}

/// Gives a connection its key when it has come in, and enters it.
#[derive(Debug)]
pub(in crate::serve) struct Entry {
    pub(in crate::serve) register: Arc<Register>,
    pub(in crate::serve) signals: Arc<Signals>,
}

impl PidSecretKeyGenerator for Entry {
    fn generate(&self, client: &dyn ClientInfo) -> (i32, SecretKey) {
        let (pid, key) = self.register.keys.generate(client);
        let mut open = self.register.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.insert(pid, (key.clone(), self.signals.clone()));
        (pid, key)
    }
}
