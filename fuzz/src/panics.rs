//! Decides which panics are crashes: those of flowsift's own code, even where the scan would turn them into an error.

use std::panic::{PanicHookInfo, set_hook, take_hook};

/// Folders whose panics are crashes, wherever they are caught.
const OWN: &[&str] = &[
    "crates/flow/",
    "crates/kernels/",
    "crates/memory/",
    "crates/pages/",
    "crates/scan/",
    "crates/rollup/",
    "fuzz/src/",
    "fuzz_targets/",
];

fn is_own(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_none_or(|location| {
        let file = location.file();
        !file.contains("/.cargo/") && !file.contains("/rustc/") && OWN.iter().any(|own| file.contains(own))
    })
}

/// Ignores panics of other crates, which the scan catches, and ends the process on our own.
///
/// A panic that is not caught ends the process in any case.
pub fn forgive_others() {
    let fatal = take_hook();
    set_hook(Box::new(move |info| {
        if is_own(info) {
            fatal(info);
        }
    }));
}

/// Makes Rayon work on the calling thread, so that the same input takes the same path.
pub fn single_thread() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    assert!(pool.is_ok(), "Rayon was at work before");
}
