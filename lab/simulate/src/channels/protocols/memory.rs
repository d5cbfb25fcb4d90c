//! Measures the peak memory of a piece of work, by an allocator that counts, for the tests that bound it. A binary that
//! measures makes it its `#[global_allocator]`.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

/// The system's allocator. It counts the memory of each thread.
pub struct Counting;

fn grown(bytes: usize) {
    // A thread that is ending has no counters any more, and nothing to measure.
    let _ = NOW.try_with(|now| {
        now.set(now.get().saturating_add(bytes));
        PEAK.with(|peak| peak.set(peak.get().max(now.get())));
    });
}

fn shrunk(bytes: usize) {
    let _ = NOW.try_with(|now| now.set(now.get().saturating_sub(bytes)));
}

#[expect(unsafe_code, reason = "an allocator: hands every call on to the system's, unchanged")]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        shrunk(layout.size());
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        grown(size);
        shrunk(layout.size());
        unsafe { System.realloc(at, layout, size) }
    }
}

/// The result of a piece of work, and the most bytes that it held at one time. Zero if [`Counting`] is not the allocator.
pub fn peak<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    PEAK.set(before);
    let result = work();
    (result, PEAK.get().saturating_sub(before))
}

/// The most memory for verifying and parsing this many bytes: some copies of them, and the values that bounded readers
/// build from them.
pub const fn limit(bytes: usize) -> usize {
    (1 << 20) + 24 * bytes
}
