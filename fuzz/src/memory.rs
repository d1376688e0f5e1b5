//! An allocator with limits: an input of a few kilobytes must not claim hundreds of megabytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Maximum bytes of one allocation.
const MAX_ALLOCATION: usize = 512 << 20;
/// Maximum bytes allocated at any moment.
const MAX_LIVE: usize = 1_024 << 20;

/// The system's allocator, with limits that end the process; libFuzzer's own limits need a sanitizer.
pub struct Limited;

static LIVE: AtomicUsize = AtomicUsize::new(0);

fn reserve(size: usize) {
    let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
    if size >= MAX_ALLOCATION || live > MAX_LIVE {
        LIVE.store(0, Ordering::Relaxed);
        abort_over_limit(size, live);
    }
}

#[cold]
fn abort_over_limit(size: usize, live: usize) {
    eprintln!("memory limit: {size} bytes requested, {live} in total");
    eprintln!("{}", std::backtrace::Backtrace::force_capture());
    std::process::abort();
}

// SAFETY: every call is forwarded unchanged to the system's allocator.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        reserve(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        reserve(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        reserve(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
