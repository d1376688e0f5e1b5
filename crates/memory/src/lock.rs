//! Locks a mutex even if a thread panicked while it held the lock.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex even if a thread panicked while it held the lock.
///
/// Nothing in this program leaves a value half changed behind a lock, so a poisoned lock is no reason to fail.
///
/// ```
/// use std::sync::Mutex;
///
/// let count = Mutex::new(1);
/// *flowsift_memory::lock(&count) += 1;
/// assert_eq!(*flowsift_memory::lock(&count), 2);
/// ```
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
