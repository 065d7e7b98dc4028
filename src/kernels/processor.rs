//! Placement of a computation's threads on processors.
//!
//! A thread that yields while it polls for work looks idle to the system's scheduler: two threads of a
//! computation may share a processor for seconds while another processor is idle. Therefore each thread
//! claims the processor it runs on; a thread that finds its processor claimed moves to another one. It is not
//! pinned there: the system may move it again.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Number of processors tracked: the size of Linux's `cpu_set_t`.
const MOST: usize = 1024;

/// Number of computations so far.
static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The last computation in which this thread claimed a processor.
    static CLAIMED_FOR: Cell<u64> = const { Cell::new(0) };
}

/// The processors that the threads of one computation have claimed.
pub(crate) struct Processors {
    computation: u64,
    taken: [AtomicU64; MOST / 64],
}

impl Processors {
    pub(crate) fn new() -> Self {
        let computation = COUNT.fetch_add(1, Ordering::Relaxed) + 1;
        Processors { computation, taken: [const { AtomicU64::new(0) }; MOST / 64] }
    }

    /// Claims the calling thread's processor. If it is claimed already, moves the thread to an unclaimed
    /// processor on which it is allowed to run, if there is one.
    pub(crate) fn claim(&self) {
        if CLAIMED_FOR.replace(self.computation) == self.computation {
            return;
        }
        if let Some(processor) = system::current()
            && !self.take(processor)
            && system::leave(|processor| self.is_taken(processor))
            && let Some(processor) = system::current()
        {
            self.take(processor);
        }
    }

    /// Claims a processor; returns whether it was unclaimed.
    fn take(&self, processor: usize) -> bool {
        let bit = 1 << (processor % 64);
        self.taken[processor / 64].fetch_or(bit, Ordering::Relaxed) & bit == 0
    }

    fn is_taken(&self, processor: usize) -> bool {
        self.taken[processor / 64].load(Ordering::Relaxed) >> (processor % 64) & 1 == 1
    }
}

/// Returns the processor time that the calling thread has used, if the system tells.
pub(crate) fn thread_time() -> Option<Duration> {
    system::thread_time()
}

#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::time::Duration;

    use super::MOST;

    pub(super) fn thread_time() -> Option<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the call writes to `time` only.
        let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0;
        let nanoseconds = u32::try_from(time.tv_nsec).ok()?;
        if failed { None } else { Some(Duration::new(u64::try_from(time.tv_sec).ok()?, nanoseconds)) }
    }

    /// Returns the processor that the calling thread runs on.
    pub(super) fn current() -> Option<usize> {
        // SAFETY: the call takes no arguments; it returns −1 on failure.
        let processor = unsafe { libc::sched_getcpu() };
        usize::try_from(processor).ok().filter(|&processor| processor < MOST)
    }

    /// Moves the calling thread to a processor on which it is allowed to run and that is not `taken`. Returns
    /// false if there is none. The thread's affinity mask is the same afterwards.
    pub(super) fn leave(taken: impl Fn(usize) -> bool) -> bool {
        let size = size_of::<libc::cpu_set_t>();
        // SAFETY: `cpu_set_t` is a bit set; all zeros is the empty set.
        let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
        // SAFETY: `size` is the size of the set; 0 means the calling thread.
        if unsafe { libc::sched_getaffinity(0, size, &raw mut allowed) } != 0 {
            return false;
        }
        let mut free = allowed;
        for processor in (0..MOST).filter(|&processor| taken(processor)) {
            // SAFETY: the index is below the number of processors in a set.
            unsafe { libc::CPU_CLR(processor, &mut free) };
        }
        // SAFETY: `size` is the size of both sets; the system refuses an empty set without any effect.
        unsafe {
            libc::sched_setaffinity(0, size, &raw const free) == 0
                && libc::sched_setaffinity(0, size, &raw const allowed) == 0
        }
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::time::Duration;

    pub(super) fn thread_time() -> Option<Duration> {
        None
    }

    /// Returns `None`: the processor is unknown.
    pub(super) fn current() -> Option<usize> {
        None
    }

    pub(super) fn leave(_: impl Fn(usize) -> bool) -> bool {
        false
    }
}

#[cfg(all(test, target_os = "linux", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_comes_second_moves_and_is_bound_to_nothing() {
        let allowed = || {
            // SAFETY: as in `leave`.
            unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &raw mut set), 0);
                (0..MOST).filter(|&processor| libc::CPU_ISSET(processor, &set)).collect::<Vec<_>>()
            }
        };
        let before = allowed();
        let processors = Processors::new();
        let first = system::current().expect("Linux reports the processor");
        processors.take(first);
        processors.claim();
        assert_eq!(allowed(), before);
        let taken: Vec<_> = (0..MOST).filter(|&processor| processors.is_taken(processor)).collect();
        // With a single processor there is none to move to.
        assert!(taken.contains(&first) && (taken.len() == 2 || before.len() == 1), "{taken:?} of {before:?}");
        processors.claim();
        let again: Vec<_> = (0..MOST).filter(|&processor| processors.is_taken(processor)).collect();
        assert_eq!(again, taken, "a thread claims more than once per computation");
    }
}
