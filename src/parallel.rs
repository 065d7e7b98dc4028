//! Threads, stopping, and memory that may not be there.
//!
//! Work is divided over a pool of rayon's threads that `set_num_threads` can replace at any time. No result depends
//! on how it is divided: an element of a product is always the same chain of sums (see `kernels/generic.rs`), and
//! sums over rows are taken in an order that the problem fixes.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError};
use std::thread::Thread;
use std::time::{Duration, Instant};

use crate::error::{Error, Result};
use crate::kernels::{Processors, Real};

/// How often a long computation asks whether it should stop.
const POLL: Duration = Duration::from_millis(20);

/// How long an idle thread spins before it lets other programs have its core at every look.
const SPIN: Duration = Duration::from_micros(50);

/// How long an idle thread looks out for work before it sleeps.
const AWAKE: Duration = Duration::from_micros(500);

/// Numbers worth a thread, in passes over many small parts.
const SMALL: usize = 1 << 15;

/// Most threads that may be asked for.
const MOST_THREADS: usize = 1024;

struct Pool {
    threads: usize,
    /// The threads beside the caller's; `None` for one thread: then the caller does the work itself.
    rayon: Option<rayon::ThreadPool>,
    /// The process that made the pool: after a fork the child has none of its threads.
    process: u32,
    /// How many of its threads are looking out for work.
    awake: AtomicUsize,
}

static POOL: RwLock<Option<Arc<Pool>>> = RwLock::new(None);
static HOOK: OnceLock<fn() -> bool> = OnceLock::new();

/// Sets the question that long computations put every 20 ms on the calling thread: true means stop.
pub fn set_interrupt_hook(hook: fn() -> bool) {
    // A second caller asks the same question of the same interpreter: the first answer stands.
    let _ = HOOK.set(hook);
}

/// Sets the number of threads, from 1 to 1024.
///
/// # Errors
/// [`Error::Value`] outside that range, or when the system gives no more threads.
pub fn set_num_threads(threads: usize) -> Result<()> {
    let pool = make_pool(threads)?;
    *POOL.write().unwrap_or_else(PoisonError::into_inner) = Some(pool);
    Ok(())
}

/// The number of threads in use: what was set, or `RNNRS_NUM_THREADS`, or the machine's cores.
///
/// # Errors
/// [`Error::Value`] if `RNNRS_NUM_THREADS` is not a number from 1 to 1024.
pub fn num_threads() -> Result<usize> {
    Ok(pool()?.threads)
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
    let rayon = match threads {
        1 => None,
        _ => Some(
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads - 1)
                .thread_name(|i| format!("rnnrs-{i}"))
                .build()
                .map_err(|e| wrong(format!("{threads}, and the system said: {e}")))?,
        ),
    };
    Ok(Arc::new(Pool { threads, rayon, process: std::process::id(), awake: AtomicUsize::new(0) }))
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

fn threads_from_environment() -> Result<usize> {
    match std::env::var("RNNRS_NUM_THREADS") {
        Ok(text) if !text.is_empty() => match text.parse() {
            Ok(n) if (1..=MOST_THREADS).contains(&n) => Ok(n),
            _ => Err(Error::Value {
                op: "rnnrs",
                argument: "RNNRS_NUM_THREADS",
                expected: format!("a number from 1 to {MOST_THREADS}"),
                got: format!("\"{text}\""),
            }),
        },
        _ => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS)),
    }
}

/// The answer to "go on?" for one task of a computation.
pub struct Stop<'a> {
    /// Shared by the computation's tasks.
    stopped: &'a AtomicBool,
    /// The calling thread's task must also do the asking: how often it was here, and when it last asked.
    asking: Option<(Cell<u32>, Cell<Instant>)>,
}

impl<'a> Stop<'a> {
    fn of_worker(stopped: &'a AtomicBool) -> Self {
        Stop { stopped, asking: None }
    }

    fn of_caller(stopped: &'a AtomicBool) -> Self {
        Stop { stopped, asking: Some((Cell::new(0), Cell::new(Instant::now()))) }
    }

    /// Whether the computation is to end. Cheap enough for every time step.
    pub fn requested(&self) -> bool {
        if let Some((calls, last)) = &self.asking {
            calls.set(calls.get().wrapping_add(1));
            // The clock costs more than a short time step.
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

/// Runs `task` once on every part, on as many threads as there are: the calling thread and the pool's.
///
/// # Errors
/// The first error of a task (in the order of the parts), or [`Error::Interrupted`].
pub(crate) fn for_each<P: Send>(
    parts: Vec<P>,
    task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    for_each_on(&pool()?, parts, task)
}

fn for_each_on<P: Send>(
    pool: &Arc<Pool>,
    parts: Vec<P>,
    task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
) -> Result<()> {
    let stopped = AtomicBool::new(false);
    let workers = match &pool.rayon {
        // After a fork the pool's threads are not there: the child works alone. And so does who has been given a part already:
        // the other threads have theirs.
        Some(rayon) if parts.len() > 1 && pool.process == std::process::id() && !Busy::is() => rayon,
        _ => {
            let stop = Stop::of_caller(&stopped);
            for part in parts {
                task(part, &stop)?;
                if stopped.load(Ordering::Relaxed) {
                    return Err(Error::Interrupted);
                }
            }
            return Ok(());
        }
    };
    let outcome = Outcome::new(parts.len());
    let processors = Processors::new();
    processors.claim();
    workers.in_place_scope(|scope| {
        let mut parts = parts.into_iter().enumerate();
        let own = parts.next();
        for (i, part) in parts {
            let (task, stopped, outcome, processors) = (&task, &stopped, &outcome, &processors);
            scope.spawn(move |_| {
                processors.claim();
                let finishing = outcome.finishing(i);
                let _busy = Busy::begin();
                finishing.done(task(part, &Stop::of_worker(stopped)));
            });
        }
        pool.keep_awake(workers);
        if let Some((i, part)) = own {
            let finishing = outcome.finishing(i);
            let _busy = Busy::begin();
            finishing.done(task(part, &Stop::of_caller(&stopped)));
        }
        outcome.wait(|| ask(&stopped));
    });
    outcome.first_error()?;
    if stopped.load(Ordering::Relaxed) { Err(Error::Interrupted) } else { Ok(()) }
}

thread_local! {
    static BUSY: Cell<bool> = const { Cell::new(false) };
}

/// While this is there, its thread works on a part of something.
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

impl Pool {
    /// Sees to it that each of the pool's threads, done with its work, looks out for more for a while: a step of training
    /// is a dozen computations with little between them, and to wake a thread up can take longer than one of them.
    fn keep_awake(self: &Arc<Self>, workers: &rayon::ThreadPool) {
        while self.awake.load(Ordering::Relaxed) + 1 < self.threads {
            self.awake.fetch_add(1, Ordering::Relaxed);
            let pool = Arc::downgrade(self);
            workers.spawn(move || {
                let mut idle_since = Instant::now();
                while idle_since.elapsed() < AWAKE {
                    match rayon::yield_now() {
                        Some(rayon::Yield::Executed) => idle_since = Instant::now(),
                        _ if idle_since.elapsed() < SPIN => std::hint::spin_loop(),
                        _ => std::thread::yield_now(),
                    }
                }
                if let Some(pool) = pool.upgrade() {
                    pool.awake.fetch_sub(1, Ordering::Relaxed);
                }
            });
        }
    }
}

/// Held by the computation whose threads wait for each other: two at a time could wait for ever, each for threads that
/// the other one has.
static TEAM: Mutex<()> = Mutex::new(());

/// All threads, for a computation in which they wait for each other.
pub(crate) struct Team {
    _only: MutexGuard<'static, ()>,
    pool: Arc<Pool>,
    threads: usize,
    arrived: AtomicUsize,
    round: AtomicUsize,
}

/// A team of `most` threads or as many as there are, if that is more than one and no other team is at work.
pub(crate) fn team(most: usize) -> Result<Option<Team>> {
    let pool = pool()?;
    let threads = pool.threads.min(most);
    if threads < 2 || pool.process != std::process::id() || Busy::is() {
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
    /// How many they are.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `task` once on every part, all at the same time. There must be as many parts as threads.
    ///
    /// # Errors
    /// As [`for_each`].
    pub(crate) fn run<P: Send>(
        &self,
        parts: Vec<P>,
        task: impl Fn(P, &Stop<'_>) -> Result<()> + Sync,
    ) -> Result<()> {
        assert_eq!(parts.len(), self.threads, "one part for each thread");
        for_each_on(&self.pool, parts, task)
    }

    /// Waits for all threads to arrive here; false if the computation is to end instead.
    pub(crate) fn wait(&self, stop: &Stop<'_>) -> bool {
        let round = self.round.load(Ordering::Acquire);
        if self.arrived.fetch_add(1, Ordering::AcqRel) + 1 == self.threads {
            self.arrived.store(0, Ordering::Relaxed);
            self.round.fetch_add(1, Ordering::Release);
            return true;
        }
        let mut spins = 0u32;
        while self.round.load(Ordering::Acquire) == round {
            if stop.requested() {
                return false;
            }
            spins += 1;
            if spins < 1000 { std::hint::spin_loop() } else { std::thread::yield_now() }
        }
        true
    }
}

/// What became of the parts; the calling thread waits on it and wakes up now and then.
struct Outcome {
    left: AtomicUsize,
    errors: Mutex<Vec<Option<Error>>>,
    waiting: Thread,
}

/// Counts a part as finished even if its task panics, so that nobody waits for ever.
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
        let start = Instant::now();
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
        // The handle first: once nothing is left, the outcome may be gone.
        let waiting = self.outcome.waiting.clone();
        if self.outcome.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            waiting.unpark();
        }
    }
}

/// Cuts `count` rows into as many even ranges as there are threads, each of at least `least` rows.
pub(crate) fn ranges(count: usize, least: usize) -> Result<Vec<std::ops::Range<usize>>> {
    Ok(even_ranges(count, num_threads()?.min(count / least.max(1))))
}

/// Cuts `count` rows into so many even ranges, none of them empty.
pub(crate) fn even_ranges(count: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
    let parts = parts.max(1);
    (0..parts).map(|i| i * count / parts..(i + 1) * count / parts).filter(|r| !r.is_empty()).collect()
}

/// Deals out many small parts, in order, as one batch for each thread, even in the sum of their sizes.
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

/// Cuts a slice into the pieces whose lengths the ranges give, `width` numbers a row.
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

/// A vector of zeros of these sizes, or an error where it does not fit: never an abort.
pub(crate) fn zeros<R: Real>(op: &'static str, sizes: &[usize]) -> Result<Vec<R>> {
    allocate(op, sizes, crate::kernels::zeroed)
}

/// The same, of whatever numbers: for an array of which every number will be written.
pub(crate) fn scratch<R: Real>(op: &'static str, sizes: &[usize]) -> Result<Vec<R>> {
    allocate(op, sizes, crate::kernels::scratch)
}

fn allocate<R: Real>(
    op: &'static str,
    sizes: &[usize],
    take: impl Fn(usize) -> Option<Vec<R>>,
) -> Result<Vec<R>> {
    let len = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let bytes = len.and_then(|len| len.checked_mul(size_of::<R>()));
    let too_large = |wanted: String| Error::Memory { op, wanted, available: available_memory() };
    let (Some(len), Some(bytes)) = (len, bytes) else {
        return Err(too_large(format!("{} numbers, more than can be addressed", crate::error::shape(sizes))));
    };
    check_memory(op, bytes as u64)?;
    take(len).ok_or_else(|| too_large(bytes.to_string()))
}

/// Whether so many bytes can be had. Linux promises memory that it does not have and kills the process later, when it
/// is used: ask before taking much of it.
///
/// # Errors
/// [`Error::Memory`] if not.
pub fn check_memory(op: &'static str, bytes: u64) -> Result<()> {
    let available = if bytes >= 1 << 30 { available_memory() } else { bytes };
    if bytes <= available {
        return Ok(());
    }
    Err(Error::Memory { op, wanted: bytes.to_string(), available })
}

/// Bytes that can still be had, as far as the system tells (Linux); elsewhere half of what can be addressed.
fn available_memory() -> u64 {
    let known = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    known.unwrap_or(isize::MAX as u64)
}
