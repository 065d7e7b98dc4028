//! Threads that wait for each other: the parts of their computation must all run at the same time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use super::{Busy, Pool, Stop, Waiting, for_each_on, pool};
use crate::error::Result;

/// Held by the computation whose threads wait for each other: two such computations at once could deadlock,
/// each waiting for threads that the other one occupies.
static TEAM: Mutex<()> = Mutex::new(());

/// A set of threads for a computation in which they wait for each other.
pub(crate) struct Team {
    _only: MutexGuard<'static, ()>,
    pool: Arc<Pool>,
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

/// Returns a team of `most` threads, or of all if there are fewer; `None` if that is fewer than two, if the
/// calling thread already runs a part, if another team is active, or in the child process of a fork.
pub(crate) fn team(most: usize) -> Result<Option<Team>> {
    let pool = pool()?;
    let threads = pool.threads().min(most);
    if threads < 2 || !pool.is_usable() || Busy::is() {
        return Ok(None);
    }
    let only = match TEAM.try_lock() {
        Ok(only) => only,
        Err(TryLockError::Poisoned(only)) => only.into_inner(),
        Err(TryLockError::WouldBlock) => return Ok(None),
    };
    let (arrived, round) = (AtomicUsize::new(0), AtomicUsize::new(0));
    Ok(Some(Team { _only: only, pool, threads, arrived, round }))
}

impl Team {
    /// The number of threads.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `task` once on every part, all parts concurrently.
    ///
    /// # Errors
    /// As [`for_each`].
    ///
    /// # Panics
    /// If the number of parts is not the number of threads.
    pub(crate) fn run<P: Send>(
        &self,
        parts: Vec<P>,
        task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        assert_eq!(parts.len(), self.threads, "expected one part per thread");
        for_each_on(&self.pool, parts, task)
    }

    /// Waits until all threads have arrived (a barrier). Returns false if the computation must stop instead.
    pub(crate) fn wait(&self, stop: &Stop<'_>) -> bool {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.fetch_add(1, Ordering::Release);
            return true;
        }
        let (mut spins, waiting) = (0u32, Waiting::begin());
        while self.round.load(Ordering::Acquire) == round {
            if stop.requested() {
                return false;
            }
            spins += 1;
            if spins < 1000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        waiting.end();
        true
    }
}
