//! The recurrence of a few sequences with a large state: the threads share each step.
//!
//! Where a batch has fewer sequences than make work for every thread, the units are divided instead: each thread
//! computes its own part of h_t, from all of h_{t−1}. So each core reads only its part of W, step after step, and that
//! part stays in its own cache. In return the threads wait for each other at every step, spinning: a step is too short
//! to sleep. An element of h_t is the same chain of sums as ever, so the bits are those of the other way.

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel::{self, Stop, Team};

/// Multiply-adds of a step from which it is shared: fewer take no longer than the waiting.
const GRAIN: usize = 1 << 16;

/// Sequences for each thread from which they are divided, not the units.
const LEAST_ROWS: usize = 4;

/// Units worth a thread.
const LEAST_UNITS: usize = 64;

/// Units that stay together.
const UNITS: usize = 16;

/// What is one thread's own on the way through time: some of the units, in all sequences.
pub(super) trait Part<R: Real>: Send {
    /// Writes what the sums of step t begin with: (B, units).
    fn begin(&mut self, t: usize, rows: &mut [R]);
    /// Turns the sums of step t into its result, in place.
    fn finish(&mut self, t: usize, rows: &mut [R]);
}

/// The way through time out_t ← finish(begin_t + out_{t′} M), with t′ the step before t in the order given.
pub(super) struct Way<'a, R> {
    /// T
    pub(super) steps: usize,
    /// B
    pub(super) batch: usize,
    /// H
    pub(super) hidden: usize,
    /// The rows (B, H) before the first step.
    pub(super) initial: Option<&'a [R]>,
    /// Whether the steps go from the last to the first.
    pub(super) reversed: bool,
}

/// Where one thread's results go.
struct Place<'a, R> {
    units: Range<usize>,
    /// Its columns of every row of (T·B, H), in order.
    rows: Vec<&'a mut [R]>,
    /// Its columns of the rows (B, H) that follow after the last step.
    last: Vec<&'a mut [R]>,
}

/// The team of threads that shares the steps, if that is worth while and they are free.
pub(super) fn team(batch: usize, hidden: usize) -> Result<Option<Team>> {
    let few = batch < LEAST_ROWS * parallel::num_threads()?;
    if few && batch * hidden * hidden >= GRAIN { parallel::team(hidden / LEAST_UNITS) } else { Ok(None) }
}

impl<R: Real> Way<'_, R> {
    /// Goes through all steps.
    ///
    /// `part` gives a thread its columns of M and what else is its own; `out` is (T, B, H). After the steps, `last` (B, H)
    /// becomes what M makes of the last result; it may be empty.
    ///
    /// # Errors
    /// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
    pub(super) fn walk<P: Part<R>>(
        &self,
        team: &Team,
        out: &mut [R],
        last: &mut [R],
        part: impl Fn(Range<usize>) -> Result<(Packed<R>, P)> + Sync,
    ) -> Result<()> {
        let hidden = self.hidden;
        let ranges = divide(hidden, team.threads());
        let mut places: Vec<Place<'_, R>> = ranges
            .iter()
            .map(|units| Place { units: units.clone(), rows: Vec::new(), last: Vec::new() })
            .collect();
        for row in out.chunks_exact_mut(hidden) {
            for (place, columns) in places.iter_mut().zip(parallel::split_rows(row, &ranges, 1)) {
                place.rows.push(columns);
            }
        }
        for row in last.chunks_exact_mut(hidden) {
            for (place, columns) in places.iter_mut().zip(parallel::split_rows(row, &ranges, 1)) {
                place.last.push(columns);
            }
        }
        // Packed beforehand: a thread that fails must not keep the others waiting.
        let mut parts: Vec<Option<(Packed<R>, P)>> = ranges.iter().map(|_| None).collect();
        parallel::for_each(parts.iter_mut().zip(&ranges).collect(), |(slot, units), _| {
            *slot = Some(part(units.clone())?);
            Ok(())
        })?;
        let exchange = Exchange::new(self.batch, hidden);
        let parts: Vec<_> = places.into_iter().zip(parts.into_iter().flatten()).collect();
        team.run(parts, |(place, (matrix, part)), stop| {
            self.steps(team, place, (&matrix, part), &exchange, stop);
            Ok(())
        })
    }

    fn steps<P: Part<R>>(
        &self,
        team: &Team,
        mut place: Place<'_, R>,
        (matrix, mut part): (&Packed<R>, P),
        exchange: &Exchange,
        stop: &Stop<'_>,
    ) {
        let (batch, hidden, width) = (self.batch, self.hidden, place.units.len());
        // All rows of the step before, and this thread's columns of the step at hand.
        let mut before: Option<Vec<R>> = self.initial.map(<[R]>::to_vec);
        let mut own = vec![R::zero(); batch * width];
        for i in 0..self.steps {
            let t = if self.reversed { self.steps - 1 - i } else { i };
            part.begin(t, &mut own);
            if let Some(before) = &before {
                let before = Rows { data: before, stride: hidden, count: batch };
                matrix.multiply(before, Start::Accumulate, RowsMut { data: &mut own, stride: width });
            }
            part.finish(t, &mut own);
            exchange.give(i, &place.units, &own);
            for (own, row) in own.chunks_exact(width).zip(&mut place.rows[t * batch..]) {
                row.copy_from_slice(own);
            }
            if stop.requested() || !team.wait(stop) {
                return;
            }
            exchange.take(i, before.get_or_insert_with(|| vec![R::zero(); batch * hidden]));
        }
        if !place.last.is_empty() {
            own.fill(R::zero());
            if let Some(before) = &before {
                let before = Rows { data: before, stride: hidden, count: batch };
                matrix.multiply(before, Start::Accumulate, RowsMut { data: &mut own, stride: width });
            }
            for (own, row) in own.chunks_exact(width).zip(&mut place.last) {
                row.copy_from_slice(own);
            }
        }
    }
}

/// The units of each thread: even, and in whole words of an [`Exchange`].
fn divide(hidden: usize, threads: usize) -> Vec<Range<usize>> {
    let mut ranges: Vec<_> = parallel::even_ranges(hidden / UNITS, threads)
        .into_iter()
        .map(|range| range.start * UNITS..range.end * UNITS)
        .collect();
    if let Some(range) = ranges.last_mut() {
        range.end = hidden;
    }
    ranges
}

/// The rows (B, H) of a step, as all threads see them. In two halves that are used in turn: a thread that is a step ahead
/// does not overwrite what another still reads. The team's barrier orders a `take` after every `give` of its step.
struct Exchange {
    words: Vec<AtomicU64>,
    batch: usize,
    hidden: usize,
}

impl Exchange {
    fn new(batch: usize, hidden: usize) -> Self {
        let words = (0..2 * batch * hidden).map(|_| AtomicU64::new(0)).collect();
        Exchange { words, batch, hidden }
    }

    /// The words of the rows of a step: a row's numbers need no more words than there are numbers.
    fn rows(&self, step: usize) -> impl Iterator<Item = &[AtomicU64]> {
        let size = self.batch * self.hidden;
        self.words[step % 2 * size..][..size].chunks_exact(self.hidden)
    }

    fn give<R: Real>(&self, step: usize, units: &Range<usize>, own: &[R]) {
        for (words, own) in self.rows(step).zip(own.chunks_exact(units.len())) {
            R::to_words(own, &words[units.start / R::IN_A_WORD..]);
        }
    }

    fn take<R: Real>(&self, step: usize, all: &mut [R]) {
        for (words, row) in self.rows(step).zip(all.chunks_exact_mut(self.hidden)) {
            R::from_words(words, row);
        }
    }
}
