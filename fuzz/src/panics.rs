//! Which panics are crashes: those of flowsift's own code, even where the scan would turn them into an error.

use std::panic::{PanicHookInfo, set_hook, take_hook};

/// Folders whose panics are crashes, wherever they are caught.
const OWN: &[&str] = &["src/flow/", "src/kernels/", "src/scan/", "src/rollup/", "fuzz_targets/"];

fn is_own(info: &PanicHookInfo<'_>) -> bool {
    info.location().is_none_or(|place| {
        let file = place.file();
        !file.contains("/.cargo/") && !file.contains("/rustc/") && OWN.iter().any(|own| file.contains(own))
    })
}

/// Passes the panics of other crates by, since the scan guards against them, and ends the process on those of our own.
/// A panic that nobody catches ends it in any case.
pub fn forgive_others() {
    let fatal = take_hook();
    set_hook(Box::new(move |info| {
        if is_own(info) {
            fatal(info);
        }
    }));
}

/// Makes Rayon work on the calling thread: the same input then takes the same way.
pub fn single_thread() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
    assert!(pool.is_ok(), "Rayon was at work before");
}
