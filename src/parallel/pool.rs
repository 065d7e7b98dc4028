//! The pool of threads: several parts of a computation at the same time, each on a thread of its own.
//!
//! Every thread is a rayon pool of one thread. A part therefore runs on the thread that it is given to, not
//! on whichever is free first: parts that wait for each other all run at the same time, no thread is left
//! without work because another one took two parts, and a thread gets the same part of one computation after
//! the other, whose data are in its caches.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::{SPIN, Waiting};

/// How long an idle thread polls for work before it sleeps.
const AWAKE: Duration = Duration::from_micros(500);

pub(super) struct Pool {
    /// The threads in addition to the caller's.
    workers: Vec<Worker>,
    /// The process that created the pool: after a fork, the child process has none of its threads.
    process: u32,
}

struct Worker {
    rayon: rayon::ThreadPool,
    /// Whether the thread is polling for work.
    awake: Arc<AtomicBool>,
}

/// The number of threads that have used a pool.
static CALLERS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread among those, by which threads that compute at the same time prefer different
    /// workers.
    static CALLER: Cell<Option<usize>> = const { Cell::new(None) };
}

impl Pool {
    /// Starts `threads` − 1 threads.
    pub(super) fn new(threads: usize) -> Result<Self, rayon::ThreadPoolBuildError> {
        let worker = |i: usize| {
            let builder = rayon::ThreadPoolBuilder::new().num_threads(1);
            let rayon = builder.thread_name(move |_| format!("rnnrs-{i}")).build()?;
            Ok(Worker { rayon, awake: Arc::default() })
        };
        Ok(Pool { workers: (1..threads).map(worker).collect::<Result<_, _>>()?, process: std::process::id() })
    }

    /// The number of threads, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Returns whether there are threads besides the caller's in this process.
    pub(super) fn is_usable(&self) -> bool {
        !self.workers.is_empty() && self.process == std::process::id()
    }

    /// Runs `work(0)`, …, `work(count − 1)` at the same time: the first on the calling thread, and then
    /// `last`, each other one on a thread of its own.
    ///
    /// # Panics
    /// If there are fewer than `count` threads; with the panic of a `work`.
    pub(super) fn gang(&self, count: usize, work: &(impl Fn(usize) + Sync), last: impl FnOnce()) {
        assert!(count <= self.threads(), "expected at most {} parts, got {count}", self.threads());
        let caller = CALLER.get().unwrap_or_else(|| CALLERS.fetch_add(1, Ordering::Relaxed));
        CALLER.set(Some(caller));
        self.nest(1, count, caller, work, last);
    }

    /// Starts `work(i)`, …, `work(count − 1)` and runs `work(0)` and `last` within.
    fn nest(
        &self,
        i: usize,
        count: usize,
        caller: usize,
        work: &(impl Fn(usize) + Sync),
        last: impl FnOnce(),
    ) {
        if i >= count {
            work(0);
            last();
            return;
        }
        let worker = &self.workers[(caller + i - 1) % self.workers.len()];
        worker.rayon.in_place_scope(|scope| {
            scope.spawn(move |_| work(i));
            worker.keep_awake();
            self.nest(i + 1, count, caller, work, last);
        });
    }
}

impl Worker {
    /// Ensures that the thread polls for more work for a while before it sleeps. A training step is a dozen
    /// computations in quick succession, and waking a thread can take longer than one of them.
    fn keep_awake(&self) {
        if self.awake.swap(true, Ordering::Relaxed) {
            return;
        }
        let awake = self.awake.clone();
        self.rayon.spawn(move || {
            let (mut idle_since, mut waiting) = (Instant::now(), Waiting::begin());
            while idle_since.elapsed() < AWAKE {
                let next = || rayon::yield_now() == Some(rayon::Yield::Executed);
                if waiting.unless_working(next) {
                    idle_since = Instant::now();
                } else if idle_since.elapsed() < SPIN {
                    std::hint::spin_loop();
                } else {
                    std::thread::yield_now();
                }
            }
            waiting.end();
            awake.store(false, Ordering::Relaxed);
        });
    }
}
