//! An allocator that refuses memory by claim: an input of some kilobytes must not take hundreds of megabytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most bytes of one allocation.
const LARGEST: usize = 512 << 20;
/// Most bytes at once.
const MOST: usize = 1_024 << 20;

/// The system's allocator, with limits that end the process: libFuzzer's own need a sanitizer.
pub struct Limited;

static LIVE: AtomicUsize = AtomicUsize::new(0);

fn take(size: usize) {
    let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
    if size >= LARGEST || live > MOST {
        LIVE.store(0, Ordering::Relaxed);
        panic_of_memory(size, live);
    }
}

#[cold]
fn panic_of_memory(size: usize, live: usize) {
    eprintln!("memory by claim: {size} bytes wanted, {live} in all");
    eprintln!("{}", std::backtrace::Backtrace::force_capture());
    std::process::abort();
}

// SAFETY: every call is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Limited {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.realloc(pointer, layout, size) }
    }
}
