//! Turns panics of a decoder on damaged bytes into errors, and keeps them off stderr.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// A panic on this thread is about to become an error of an object.
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Keeps the panics that [`catch`] turns into errors off stderr; all others are reported as before.
///
/// It changes the panic hook of the process, so a program calls it once, at its start; a second call does nothing.
pub fn quiet_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !GUARDED.try_with(Cell::get).unwrap_or(false) {
                loud(info);
            }
        }));
    });
}

/// Runs `work` and returns its result, or the panic's message.
///
/// # Errors
/// When `work` panics.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    let before = GUARDED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    result.map_err(|panic| panic_text(&*panic))
}

/// Runs `work` and reports its panics, even inside [`catch`]: a mistake of the sink is not damage of the object.
pub fn loudly(work: impl FnOnce()) {
    let guard = GUARDED.replace(false);
    work();
    GUARDED.set(guard);
}

/// Runs `work` and keeps its panics off stderr, even inside [`loudly`].
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    let guard = GUARDED.replace(true);
    let result = work();
    GUARDED.set(guard);
    result
}

/// Returns the message of a caught panic.
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_else(|| "unknown reason".to_owned())
}
