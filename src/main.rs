//! The `flowsift` binary: an allocator and an exit code around [`flowsift::cli`].

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_freed_memory();
    flowsift::cli::main(std::env::args_os()).into()
}

/// Keeps freed memory for the next use: a run takes and frees the same buffers all along, and pages that go back to the
/// system are cleared anew at each return, which cost a quarter of a run. An environment variable of mimalloc's own
/// (`MIMALLOC_PURGE_DELAY`) still wins.
fn keep_freed_memory() {
    /// `mi_option_purge_delay` of mimalloc.h; -1 is never.
    const PURGE_DELAY: std::ffi::c_int = 15;
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets one number before any other thread exists.
        #[allow(unsafe_code)]
        unsafe {
            libmimalloc_sys::mi_option_set(PURGE_DELAY, -1);
        }
    }
}
