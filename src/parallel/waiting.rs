//! The processor time that threads spend waiting for work or for each other, counted on request.
//!
//! A thread that polls uses its processor like one that computes. Whether work is divided evenly is seen in
//! the threads' processor times only if the waiting is subtracted (`benches/threads.py`).

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::kernels::thread_time;

static COUNTING: AtomicBool = AtomicBool::new(false);

/// The time waited since the last request, by the thread's name.
static WAITED: Mutex<BTreeMap<String, Duration>> = Mutex::new(BTreeMap::new());

/// Starts or stops counting, and returns the time that each thread has waited since the last call, by the
/// thread's name.
pub fn count_waiting(on: bool) -> BTreeMap<String, Duration> {
    COUNTING.store(on, Ordering::Relaxed);
    std::mem::take(&mut *WAITED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A wait of the calling thread, counted when it ends.
pub(super) struct Waiting {
    /// The thread's processor time when the wait began; `None` if nothing is counted
    begin: Option<Duration>,
    /// The time of the wait until an interruption
    before: Duration,
}

impl Waiting {
    pub(super) fn begin() -> Self {
        let begin = if COUNTING.load(Ordering::Relaxed) { thread_time() } else { None };
        Waiting { begin, before: Duration::ZERO }
    }

    /// Calls a function that returns whether it did any work. If it did, the time of the call is not counted.
    pub(super) fn unless_working(&mut self, f: impl FnOnce() -> bool) -> bool {
        let Some(begin) = self.begin else { return f() };
        let so_far = thread_time().unwrap_or(begin).saturating_sub(begin);
        let worked = f();
        if worked {
            *self = Waiting { begin: thread_time(), before: self.before + so_far };
        }
        worked
    }

    pub(super) fn end(self) {
        let Some(begin) = self.begin else { return };
        let time = self.before + thread_time().unwrap_or(begin).saturating_sub(begin);
        let thread = std::thread::current().name().unwrap_or("caller").to_string();
        *WAITED.lock().unwrap_or_else(PoisonError::into_inner).entry(thread).or_default() += time;
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    fn spin() {
        (0..1_000_000u64).for_each(|i| {
            std::hint::black_box(i);
        });
    }

    fn wait(worked: bool) {
        let mut waiting = Waiting::begin();
        waiting.unless_working(|| {
            spin();
            worked
        });
        waiting.end();
    }

    #[test]
    fn waits_are_counted_on_request_and_without_the_work_in_between() {
        let own = std::thread::current().name().unwrap_or("caller").to_string();
        wait(false);
        assert_eq!(count_waiting(true).get(&own), None);
        wait(false);
        let waited = count_waiting(true)[&own];
        wait(true);
        assert!(count_waiting(false)[&own] < waited / 10);
    }
}
