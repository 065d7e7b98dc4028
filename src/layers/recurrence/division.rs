//! How the threads divide a recurrence: each takes some of the sequences for all time steps, or all share
//! each step, every thread with some of the units (`lockstep.rs`). The way that is estimated to be faster is
//! taken; the bits are the same.

use super::CACHE;
use crate::error::Result;
use crate::kernels::Real;
use crate::parallel::{self, Team};

/// Multiply-adds per nanosecond of a thread, in f32; half as many in f64.
const RATE: f64 = 60.0;

/// The share of the rate at which a product of 1, 2, or more rows runs: one row waits for its own sums.
const SHARE: [f64; 3] = [0.47, 0.91, 1.0];

/// Bytes per nanosecond that a thread reads from beyond its own cache.
const READ: f64 = 40.0;

/// Nanoseconds that a step's synchronization takes, and that each thread adds to it.
const SYNCHRONIZATION: [f64; 2] = [500.0, 30.0];

/// Minimum number of units per thread.
const LEAST_UNITS: usize = 32;

/// A step's product with W (rows, H), by which the way of dividing it is chosen.
#[derive(Clone, Copy)]
struct Step {
    batch: usize,
    rows: usize,
    hidden: usize,
    /// Bytes of a number
    bytes: usize,
    /// Numbers per sequence and unit that the threads exchange
    exchanged: usize,
}

impl Step {
    /// The estimated nanoseconds of the product of `batch` rows and `rows` rows of W.
    fn product(&self, batch: usize, rows: f64) -> f64 {
        let share = SHARE[batch.clamp(1, SHARE.len()) - 1];
        let numbers = rows * self.hidden as f64;
        let rate = RATE * share * 4.0 / self.bytes as f64;
        let far = if numbers * self.bytes as f64 > CACHE as f64 { numbers * self.bytes as f64 } else { 0.0 };
        batch as f64 * numbers / rate + far / READ
    }

    /// The estimated nanoseconds if each of `threads` threads takes some of the sequences.
    fn of_shards(&self, threads: usize) -> f64 {
        self.product(self.batch.div_ceil(threads.min(self.batch)), self.rows as f64)
    }

    /// The estimated nanoseconds if each of `threads` threads takes some of the units.
    fn of_team(&self, threads: usize) -> f64 {
        let exchanged = (self.batch * self.exchanged * self.hidden * self.bytes) as f64 / READ;
        let wait = SYNCHRONIZATION[0] + SYNCHRONIZATION[1] * threads as f64;
        self.product(self.batch, self.rows as f64 / threads as f64) + exchanged + wait
    }

    /// The number of threads with which a team is fastest, if it is faster than shards.
    fn team(&self, threads: usize) -> Option<usize> {
        let most = threads.min(self.hidden / LEAST_UNITS);
        let cost = |&threads: &usize| self.of_team(threads);
        let best = (2..=most).min_by(|a, b| cost(a).total_cmp(&cost(b)))?;
        (self.batch > 0 && self.of_team(best) < self.of_shards(threads)).then_some(best)
    }
}

/// Returns the team of threads that shares the steps of W (rows, H), if that is estimated to be faster than
/// dividing the sequences, and the threads are available. `exchanged` numbers per sequence and unit go from
/// thread to thread.
pub(super) fn team<R: Real>(
    batch: usize,
    rows: usize,
    hidden: usize,
    exchanged: usize,
) -> Result<Option<Team>> {
    let step = Step { batch, rows, hidden, bytes: size_of::<R>(), exchanged };
    match step.team(parallel::num_threads()?) {
        Some(threads) => parallel::team(threads),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(batch: usize, hidden: usize) -> Step {
        Step { batch, rows: hidden, hidden, bytes: 4, exchanged: 1 }
    }

    #[test]
    fn many_sequences_are_divided_whatever_the_number_of_threads() {
        for hidden in [64, 128, 256, 512] {
            for threads in [2, 4, 8, 12, 16, 32, 64] {
                assert_eq!(step(32, hidden).team(threads), None, "H = {hidden}, {threads} threads");
            }
        }
    }

    #[test]
    fn the_steps_of_few_sequences_with_a_large_state_are_shared() {
        assert_eq!(step(1, 512).team(2), Some(2));
        assert!(step(1, 512).team(16).is_some_and(|threads| threads >= 4));
        assert!(step(2, 1024).team(8).is_some());
        assert_eq!(step(1, 64).team(16), None, "a step is shorter than its synchronization");
        assert_eq!(step(0, 512).team(16), None);
        assert_eq!(step(1, 512).team(1), None);
    }

    #[test]
    fn a_team_has_no_more_threads_than_pay_off() {
        for threads in [2, 4, 8, 16, 64] {
            let wide = step(1, 1024);
            let team = wide.team(threads).unwrap();
            assert!((2..=threads.min(1024 / LEAST_UNITS)).contains(&team));
            assert!(wide.of_team(team) <= wide.of_team(threads.min(1024 / LEAST_UNITS)));
        }
    }
}
