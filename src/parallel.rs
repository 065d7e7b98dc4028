//! Threads, interruption and fallible allocation.
//!
//! Work is distributed over a pool of threads, which `set_num_threads` can replace at any time. No
//! result depends on the distribution: an element of a product is always the same chain of multiply-adds (see
//! `kernels/generic.rs`), and sums over rows are taken in an order that only the sizes of the problem
//! determine.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::thread::Thread;
use std::time::{Duration, Instant};

mod memory;
mod pool;
mod team;
mod waiting;

pub use self::memory::check_memory;
pub(crate) use self::memory::{scratch, zeros};
use self::pool::Pool;
pub(crate) use self::team::{Team, team};
use self::waiting::Waiting;
pub use self::waiting::count_waiting;

use crate::error::{Error, Result};
use crate::kernels::Processors;

/// Interval at which a long computation checks for an interrupt.
const POLL: Duration = Duration::from_millis(20);

/// How long a thread that waits spins before it yields its core to other programs between checks.
const SPIN: Duration = Duration::from_micros(50);

/// Fewest numbers worth a thread in a pass over many small parts.
const SMALL: usize = 1 << 15;

/// Largest number of threads that can be set.
const MOST_THREADS: usize = 1024;

static POOL: RwLock<Option<Arc<Pool>>> = RwLock::new(None);
static HOOK: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets the hook that long computations call every 20 ms on the calling thread; it returns true to stop them.
pub fn set_interrupt_hook(hook: fn() -> bool) {
    // A second call sets the same hook of the same interpreter, so keeping the first one is correct.
    let _ = HOOK.set(hook);
}

/// Sets the number of threads, from 1 to 1024.
///
/// # Errors
/// [`Error::Value`] outside that range, or if the system cannot create the threads.
pub fn set_num_threads(threads: usize) -> Result<()> {
    let pool = make_pool(threads)?;
    *POOL.write().unwrap_or_else(PoisonError::into_inner) = Some(pool);
    Ok(())
}

/// Returns the number of threads in use: the number set, else `RNNRS_NUM_THREADS`, else the number of cores.
///
/// # Errors
/// [`Error::Value`] if `RNNRS_NUM_THREADS` is not a number from 1 to 1024.
pub fn num_threads() -> Result<usize> {
    Ok(pool()?.threads())
}

fn make_pool(threads: usize) -> Result<Arc<Pool>> {
    let wrong = |got: String| Error::Value {
        op: "set_num_threads",
        argument: "threads",
        expected: format!("a number from 1 to {MOST_THREADS}"),
        got,
    };
    if !(1..=MOST_THREADS).contains(&threads) {
        return Err(wrong(threads.to_string()));
    }
    let pool = Pool::new(threads).map_err(|e| wrong(format!("{threads}, which the system refused: {e}")))?;
    Ok(Arc::new(pool))
}

fn pool() -> Result<Arc<Pool>> {
    if let Some(pool) = POOL.read().unwrap_or_else(PoisonError::into_inner).as_ref() {
        return Ok(pool.clone());
    }
    let threads = threads_from_environment()?;
    let mut slot = POOL.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = slot.as_ref() {
        return Ok(pool.clone());
    }
    let pool = make_pool(threads)?;
    *slot = Some(pool.clone());
    Ok(pool)
}

/// Returns `RNNRS_NUM_THREADS`, else the first number of `OMP_NUM_THREADS`, which schedulers and process
/// pools set, else the processors that the affinity mask and the control group's quota leave to this process.
fn threads_from_environment() -> Result<usize> {
    let parse = |text: &str| text.trim().parse().ok().filter(|n| (1..=MOST_THREADS).contains(n));
    if let Some(text) = std::env::var("RNNRS_NUM_THREADS").ok().filter(|text| !text.is_empty()) {
        return parse(&text).ok_or_else(|| Error::Value {
            op: "rnnrs",
            argument: "RNNRS_NUM_THREADS",
            expected: format!("a number from 1 to {MOST_THREADS}"),
            got: format!("\"{text}\""),
        });
    }
    // Another library's variable: its other values are not ours to judge.
    let others = std::env::var("OMP_NUM_THREADS").ok().and_then(|text| parse(text.split(',').next()?));
    let processors = || std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    Ok(others.unwrap_or_else(processors))
}

/// The stop flag of a computation, as seen by one of its tasks.
pub struct Stop<'a> {
    /// The flag, shared by the computation's tasks.
    stopped: &'a AtomicBool,
    /// Only the calling thread's task calls the hook: its number of checks, and the time of the last call.
    asking: Option<(Cell<u32>, Cell<Instant>)>,
}

impl<'a> Stop<'a> {
    fn of_worker(stopped: &'a AtomicBool) -> Self {
        Stop { stopped, asking: None }
    }

    fn of_caller(stopped: &'a AtomicBool) -> Self {
        Stop { stopped, asking: Some((Cell::new(0), Cell::new(Instant::now()))) }
    }

    /// Returns whether the computation must stop. Cheap enough to call at every time step.
    pub fn requested(&self) -> bool {
        if let Some((calls, last)) = &self.asking {
            calls.set(calls.get().wrapping_add(1));
            // Reading the clock costs more than a short time step.
            if calls.get().is_multiple_of(16) && last.get().elapsed() >= POLL {
                last.set(Instant::now());
                ask(self.stopped);
            }
        }
        self.stopped.load(Ordering::Relaxed)
    }
}

fn ask(stopped: &AtomicBool) {
    if HOOK.get().is_some_and(|hook| hook()) {
        stopped.store(true, Ordering::Relaxed);
    }
}

/// Runs `task` once on every part, on the calling thread and the threads of the pool.
///
/// # Errors
/// The first error of a task, in the order of the parts, or [`Error::Interrupted`].
pub(crate) fn for_each<P: Send>(
    parts: Vec<P>,
    task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    for_each_on(pool()?.as_ref(), parts, task)
}

fn for_each_on<P: Send>(
    pool: &Pool,
    parts: Vec<P>,
    task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    let stopped = AtomicBool::new(false);
    // After a fork the pool's threads do not exist, so the child process works alone. A thread that already
    // runs a part also works alone: the other threads have parts of their own.
    if parts.len() < 2 || !pool.is_usable() || Busy::is() {
        let stop = Stop::of_caller(&stopped);
        for part in parts {
            task(part, &stop)?;
            if stopped.load(Ordering::Relaxed) {
                return Err(Error::Interrupted);
            }
        }
        return Ok(());
    }
    let (count, threads) = (parts.len(), parts.len().min(pool.threads()));
    let outcome = Outcome::new(count);
    let processors = Processors::new();
    // Each thread starts with the part of its own number; parts beyond the threads go to whoever is free.
    let parts: Vec<_> = parts.into_iter().map(|part| Mutex::new(Some(part))).collect();
    let beyond = AtomicUsize::new(threads);
    let work = |thread: usize| {
        processors.claim();
        let stop = if thread == 0 { Stop::of_caller(&stopped) } else { Stop::of_worker(&stopped) };
        let _busy = Busy::begin();
        let mut next = thread;
        while next < count {
            let finishing = outcome.finishing(next);
            let part = parts[next].lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(part) = part {
                finishing.done(task(part, &stop));
            }
            next = beyond.fetch_add(1, Ordering::Relaxed);
        }
    };
    pool.gang(threads, &work, || outcome.wait(|| ask(&stopped)));
    outcome.first_error()?;
    if stopped.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// A guard: while it exists, its thread is running a part of a computation.
struct Busy;

impl Busy {
    fn begin() -> Self {
        BUSY.set(true);
        Busy
    }

    fn is() -> bool {
        BUSY.get()
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.set(false);
    }
}

/// The state of the parts. The calling thread waits on it and wakes at intervals.
struct Outcome {
    left: AtomicUsize,
    errors: Mutex<Vec<Option<Error>>>,
    waiting: Thread,
}

/// A guard that counts a part as finished even if its task panics, so that the caller never waits forever.
struct Finishing<'a> {
    outcome: &'a Outcome,
    part: usize,
}

impl Outcome {
    fn new(parts: usize) -> Self {
        let errors = Mutex::new(vec![None; parts]);
        Outcome { left: AtomicUsize::new(parts), errors, waiting: std::thread::current() }
    }

    fn finishing(&self, part: usize) -> Finishing<'_> {
        Finishing { outcome: self, part }
    }

    fn wait(&self, each_poll: impl Fn()) {
        let (start, waiting) = (Instant::now(), Waiting::begin());
        while self.left.load(Ordering::Acquire) > 0 {
            if start.elapsed() < SPIN {
                std::hint::spin_loop();
                continue;
            }
            std::thread::park_timeout(POLL);
            if start.elapsed() >= POLL {
                each_poll();
            }
        }
        waiting.end();
    }

    fn first_error(&self) -> Result<()> {
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        errors.iter().flatten().next().map_or(Ok(()), |e| Err(e.clone()))
    }
}

impl Finishing<'_> {
    fn done(self, result: Result<()>) {
        if let Err(error) = result {
            self.outcome.errors.lock().unwrap_or_else(PoisonError::into_inner)[self.part] = Some(error);
        }
    }
}

impl Drop for Finishing<'_> {
    fn drop(&mut self) {
        // Take the handle first: after the last part, the caller may free the outcome at any time.
        let waiting = self.outcome.waiting.clone();
        if self.outcome.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            waiting.unpark();
        }
    }
}

/// Splits `count` rows into one even range per thread, or fewer so that each has at least `least` rows.
pub(crate) fn ranges(count: usize, least: usize) -> Result<Vec<std::ops::Range<usize>>> {
    Ok(even_ranges(count, num_threads()?.min(count / least.max(1))))
}

/// Splits `count` rows into `parts` even ranges and drops the empty ones.
pub(crate) fn even_ranges(count: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    let parts = parts.max(1);
    (0..parts).map(|i| i * count / parts..(i + 1) * count / parts).filter(|r| !r.is_empty()).collect()
}

/// Groups many small parts, in order, into one batch per thread, with balanced total sizes.
pub(crate) fn batches<P>(parts: Vec<P>, size: impl Fn(&P) -> usize) -> Result<Vec<Vec<P>>> {
    let total: usize = parts.iter().map(&size).sum();
    let count = num_threads()?.min(total / SMALL).max(1);
    let mut batches: Vec<Vec<P>> = Vec::with_capacity(count);
    let mut done = 0;
    for part in parts {
        if done * count >= total * batches.len() {
            batches.push(Vec::new());
        }
        done += size(&part);
        if let Some(batch) = batches.last_mut() {
            batch.push(part);
        }
    }
    Ok(batches)
}

/// Splits a slice into one piece per range, in order; a row has `width` numbers.
pub(crate) fn split_rows<'a, R>(
    mut data: &'a mut [R],
    ranges: &[std::ops::Range<usize>],
    width: usize,
) -> Vec<&'a mut [R]> {
    ranges
        .iter()
        .map(|range| {
            let (piece, rest) = std::mem::take(&mut data).split_at_mut(range.len() * width);
            data = rest;
            piece
        })
        .collect()
}
