//! The recurrence of a few sequences with a large state: the threads share each step.
//!
//! If a batch has too few sequences to occupy every thread, the units are divided instead: each thread
//! computes its own part of h_t from all of h_{t−1}. Each core then reads only its part of W, step after
//! step, and that part stays in its cache. In return the threads synchronize at every step, by spinning: a
//! step is too short to sleep. The forward pass also does this for more sequences if W is larger than a
//! core's cache. Each element of h_t is the same chain of sums in both schemes, so the bits are the same.

use std::ops::Range;
use std::sync::atomic::AtomicU64;

use super::input::{self, Input, Source};
use super::{AHEAD, Passed, Recurrent, Sequences, Trace};
use crate::error::Result;
use crate::kernels::{Lines, Packed, Real, Rows, RowsMut, Start};
use crate::layers::cell::{Layout, State, StateMut};
use crate::parallel::{self, Stop, Team};

/// Maximum number of rows projected at a time; with more, their pre-activations would evict W from the cache.
const ROWS_AHEAD: usize = 256;

/// Granularity of the division into units.
const UNITS: usize = 16;

/// One thread's share of a pass through time: some of the units, for all sequences.
trait Part<R: Real>: Send {
    /// Prepares the initial value of the sums of step t.
    fn begin(&mut self, t: usize);
    /// Returns the sums of the current step.
    fn sums(&mut self) -> &mut [R];
    /// Computes from the sums what the other threads need of step t (B, blocks, units).
    fn finish(&mut self, t: usize, result: &mut [R]);
    /// Prepares the initial value of the sums after the last step.
    fn close(&mut self);
    /// Stores the final result.
    fn end(&mut self);
}

/// A pass through time: result_t ← finish(begin_t + result_{t′} M), with t′ the step processed before t.
struct Way<'a, R> {
    steps: usize,
    batch: usize,
    hidden: usize,
    /// Number of blocks of H elements that the threads exchange
    blocks: usize,
    /// Number of sums per unit
    sums: usize,
    /// The rows (B, blocks·H) before the first step
    initial: Option<&'a [R]>,
    /// Whether the steps run from the last to the first; then M is applied once more at the end.
    back: bool,
}

impl<R: Real> Way<'_, R> {
    /// Runs all steps; `parts` are each thread's columns of M and its own state.
    fn walk<P: Part<R>>(
        &self,
        team: &Team,
        ranges: &[Range<usize>],
        parts: Vec<(Packed<R>, P)>,
    ) -> Result<()> {
        let exchange = Exchange::new(self.batch * self.blocks, self.hidden);
        let parts: Vec<_> = ranges.iter().cloned().zip(parts).collect();
        team.run(parts, |(units, (matrix, part)), stop| {
            self.steps(team, &units, (&matrix, part), &exchange, stop);
            Ok(())
        })
    }

    fn steps<P: Part<R>>(
        &self,
        team: &Team,
        units: &Range<usize>,
        (matrix, mut part): (&Packed<R>, P),
        exchange: &Exchange,
        stop: &Stop<'_>,
    ) {
        let (batch, blocks, width) = (self.batch, self.blocks, self.blocks * self.hidden);
        let stride = self.sums * units.len();
        // The whole result of the step before, and this thread's part of the current step.
        let mut before: Option<Vec<R>> = self.initial.map(<[R]>::to_vec);
        let mut result = vec![R::zero(); batch * blocks * units.len()];
        let multiply = |i: usize, before: &[R], sums: &mut [R]| {
            let before = Rows { data: before, stride: width, count: batch };
            let sums = RowsMut { data: sums, stride };
            matrix.multiply_in_turn(before, Start::Accumulate, sums, i % 2 == 1);
        };
        for i in 0..self.steps {
            let t = if self.back { self.steps - 1 - i } else { i };
            part.begin(t);
            if let Some(before) = &before {
                multiply(i, before, part.sums());
            }
            part.finish(t, &mut result);
            exchange.give(i, units, &result);
            if stop.requested() || !team.wait(stop) {
                return;
            }
            exchange.take(i, before.get_or_insert_with(|| vec![R::zero(); batch * width]));
        }
        if self.back {
            part.close();
            if let Some(before) = &before {
                multiply(self.steps, before, part.sums());
            }
        }
        part.end();
    }
}

/// Prepares every thread's part beforehand, since a thread that fails must not keep the others waiting.
fn prepare<P: Send, T: Send>(
    places: Vec<P>,
    ranges: &[Range<usize>],
    part: impl Fn(P, &Range<usize>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let mut parts: Vec<Option<T>> = ranges.iter().map(|_| None).collect();
    let jobs = parts.iter_mut().zip(places).zip(ranges).collect();
    parallel::for_each(jobs, |((slot, place), units), _| {
        *slot = Some(part(place, units)?);
        Ok(())
    })?;
    Ok(parts.into_iter().flatten().collect())
}

/// Returns each thread's columns of an array whose rows have `blocks` blocks of H elements: row by
/// row, block by block.
fn columns<'a, R>(data: &'a mut [R], hidden: usize, ranges: &[Range<usize>]) -> Vec<Vec<&'a mut [R]>> {
    let mut places: Vec<_> = ranges.iter().map(|_| Vec::new()).collect();
    for block in data.chunks_exact_mut(hidden) {
        for (place, columns) in places.iter_mut().zip(parallel::split_rows(block, ranges, 1)) {
            place.push(columns);
        }
    }
    places
}

/// Writes the rows (B, blocks, units) of a step to `columns`, which holds `blocks` slices for
/// each of the B rows.
fn write<R: Copy>(rows: &[R], units: usize, columns: &mut [&mut [R]]) {
    for (from, to) in rows.chunks_exact(units).zip(columns) {
        to.copy_from_slice(from);
    }
}

/// Returns some units of the initial states (B, states·H): of h or of c.
fn units_of<R: Real>(
    states: Option<&[R]>,
    (batch, hidden, width): (usize, usize, usize),
    block: usize,
    units: &Range<usize>,
) -> Vec<R> {
    match states {
        None => vec![R::zero(); batch * units.len()],
        Some(states) => states
            .chunks_exact(width)
            .flat_map(|row| &row[block * hidden..][units.clone()])
            .copied()
            .collect(),
    }
}

/// [`super::forward()`] for sequences of equal length.
pub(super) fn forward<R: Real>(
    op: &'static str,
    layer: Recurrent<'_, R>,
    sequences: &Sequences,
    input: Input<'_, R>,
    first: Option<&[R]>,
    team: &Team,
    trace: &mut Trace<R>,
) -> Result<()> {
    let (layout, hidden, batch, steps) =
        (layer.cell.layout(), layer.hidden, sequences.batch(), sequences.steps());
    let ranges = divide(hidden, team.threads());
    let states = (batch, hidden, layout.states() * hidden);
    let initial: Option<Vec<R>> = first.map(|_| units_of(first, states, 0, &(0..hidden)));
    let places: Vec<_> = columns(&mut trace.h, hidden, &ranges)
        .into_iter()
        .zip(columns(&mut trace.c, hidden, &ranges))
        .zip(columns(&mut trace.kept, hidden, &ranges))
        .zip(columns(&mut trace.last, hidden, &ranges))
        .collect();
    let parts = prepare(places, &ranges, |(((h, c), kept), last), units| {
        let rows = input::rows_of(0..layout.recurrent, hidden, units);
        let w = Packed::transposed_rows(op, layer.w, rows, hidden)?;
        let source = input.source_of(op, layout, hidden, units)?;
        let ahead = (ROWS_AHEAD / batch.max(1)).clamp(1, AHEAD).min(steps);
        let ahead = parallel::scratch(op, &[ahead, batch, layout.sums, units.len()])?;
        let c_now = if layout.memory { units_of(first, states, 1, units) } else { Vec::new() };
        let h_now = units_of(first, states, 0, units);
        let part = Units {
            layer,
            layout,
            steps,
            batch,
            units: units.len(),
            source,
            gathered: Vec::new(),
            ahead,
            place: 0,
            before: [h_now.clone(), c_now.clone()],
            now: [h_now, c_now],
            h,
            c,
            kept,
            last,
        };
        Ok((w, part))
    })?;
    let way =
        Way { steps, batch, hidden, blocks: 1, sums: layout.sums, initial: initial.as_deref(), back: false };
    way.walk(team, &ranges, parts)
}

/// Some of the units, in the forward pass.
struct Units<'a, R: Real> {
    layer: Recurrent<'a, R>,
    layout: Layout,
    steps: usize,
    batch: usize,
    units: usize,
    source: Source<'a, R>,
    /// Scratch for rows of input that are not in order in memory
    gathered: Vec<R>,
    /// The pre-activations of the next steps, and the index of the current one
    ahead: Vec<R>,
    place: usize,
    /// h and c of the step before (B, units), and space for the next ones
    now: [Vec<R>; 2],
    before: [Vec<R>; 2],
    h: Vec<&'a mut [R]>,
    c: Vec<&'a mut [R]>,
    kept: Vec<&'a mut [R]>,
    last: Vec<&'a mut [R]>,
}

impl<R: Real> Units<'_, R> {
    /// Returns the number of pre-activations per step.
    fn size(&self) -> usize {
        self.batch * self.layout.sums * self.units
    }
}

impl<R: Real> Part<R> for Units<'_, R> {
    fn begin(&mut self, t: usize) {
        let ahead = self.ahead.len() / self.size();
        self.place = t % ahead;
        if self.place == 0 {
            let count = ahead.min(self.steps - t) * self.batch;
            self.source.fill((t * self.batch, 1, count), &mut self.gathered, &mut self.ahead);
        }
    }

    fn sums(&mut self) -> &mut [R] {
        let size = self.size();
        &mut self.ahead[self.place * size..][..size]
    }

    fn finish(&mut self, t: usize, result: &mut [R]) {
        let (batch, units, size) = (self.batch, self.units, self.size());
        let sums = &mut self.ahead[self.place * size..][..size];
        std::mem::swap(&mut self.before, &mut self.now);
        let ([h_before, c_before], [h, c]) = (&self.before, &mut self.now);
        let before = State { h: h_before, c: c_before };
        self.layer.cell.step(units, sums, before, StateMut { h, c });
        if self.layout.sums == 1 {
            h.copy_from_slice(sums);
        }
        result.copy_from_slice(h);
        write(h, units, &mut self.h[t * batch..]);
        if self.layout.memory {
            write(c, units, &mut self.c[t * batch..]);
        }
        if !self.kept.is_empty() {
            write(sums, units, &mut self.kept[t * batch * self.layout.sums..]);
        }
    }

    fn close(&mut self) {}

    fn end(&mut self) {
        let states = self.layout.states();
        for (i, to) in self.last.iter_mut().enumerate() {
            to.copy_from_slice(&self.now[i % states][i / states * self.units..][..self.units]);
        }
    }
}

/// [`super::backward()`] for sequences of equal length.
pub(super) fn backward<R: Real>(
    op: &'static str,
    layer: Recurrent<'_, R>,
    sequences: &Sequences,
    passed: Passed<'_, R>,
    (dy, dlast): (Option<Lines<'_, R>>, Option<&[R]>),
    team: &Team,
    (da, dfirst): (&mut [R], &mut [R]),
) -> Result<()> {
    let (layout, hidden, batch, steps) =
        (layer.cell.layout(), layer.hidden, sequences.batch(), sequences.steps());
    let ranges = divide(hidden, team.threads());
    let states = (batch, hidden, layout.states() * hidden);
    let places: Vec<_> =
        columns(da, hidden, &ranges).into_iter().zip(columns(dfirst, hidden, &ranges)).collect();
    let parts = prepare(places, &ranges, |(da, dfirst), units| {
        let rows = layout.recurrent * hidden;
        let columns = Packed::new(op, &layer.w[units.start..], (rows, hidden), (units.len(), 1))?;
        let memory = |states_given| {
            if layout.memory { units_of(states_given, states, 1, units) } else { Vec::new() }
        };
        let part = UnitsBack {
            layer,
            layout,
            batch,
            units: units.clone(),
            passed,
            dy,
            first: [units_of(passed.first, states, 0, units), memory(passed.first)],
            dh: dlast.map(|_| units_of(dlast, states, 0, units)),
            dc: memory(dlast),
            felt: vec![R::zero(); batch * units.len()],
            own: vec![R::zero(); batch * layout.sums * units.len()],
            da,
            dfirst,
        };
        Ok((columns, part))
    })?;
    let way = Way { steps, batch, hidden, blocks: layout.recurrent, sums: 1, initial: None, back: true };
    way.walk(team, &ranges, parts)
}

/// Some of the units, in the backward pass.
struct UnitsBack<'a, R: Real> {
    layer: Recurrent<'a, R>,
    layout: Layout,
    batch: usize,
    units: Range<usize>,
    passed: Passed<'a, R>,
    dy: Option<Lines<'a, R>>,
    /// h and c before the first step
    first: [Vec<R>; 2],
    /// The part of dh_t that does not pass through the pre-activations: from the last states, or direct
    dh: Option<Vec<R>>,
    dc: Vec<R>,
    /// dh_t
    felt: Vec<R>,
    /// da_t
    own: Vec<R>,
    da: Vec<&'a mut [R]>,
    dfirst: Vec<&'a mut [R]>,
}

impl<R: Real> UnitsBack<'_, R> {
    /// Returns this thread's units of the rows (B, blocks·H) of step t.
    fn rows(&self, of: Lines<'_, R>, t: usize) -> Vec<R> {
        let mut room = Vec::new();
        let rows = &of.rows(t * self.batch, 1, self.batch, &mut room).data[..self.batch * of.width()];
        let mut own = Vec::with_capacity(rows.len() / self.layer.hidden * self.units.len());
        for block in rows.chunks_exact(self.layer.hidden) {
            own.extend_from_slice(&block[self.units.clone()]);
        }
        own
    }

    fn state(&self, t: Option<usize>) -> [Vec<R>; 2] {
        let Some(t) = t else { return self.first.clone() };
        let hidden = self.layer.hidden;
        let c = if self.layout.memory { self.rows(Lines::all(self.passed.c, hidden), t) } else { Vec::new() };
        [self.rows(Lines::all(self.passed.h, hidden), t), c]
    }
}

impl<R: Real> Part<R> for UnitsBack<'_, R> {
    fn begin(&mut self, t: usize) {
        let dy = self.dy.map(|dy| self.rows(dy, t));
        let dh = &mut self.felt;
        match (dy, &self.dh) {
            (None, None) => dh.fill(R::zero()),
            (None, Some(known)) => dh.copy_from_slice(known),
            (Some(dy), None) => dh.copy_from_slice(&dy),
            (Some(dy), Some(known)) => {
                dh.iter_mut().zip(known.iter().zip(&dy)).for_each(|(dh, (&known, &dy))| *dh = known + dy);
            }
        }
    }

    fn sums(&mut self) -> &mut [R] {
        &mut self.felt
    }

    fn finish(&mut self, t: usize, result: &mut [R]) {
        let (n, sums, recurrent) = (self.units.len(), self.layout.sums, self.layout.recurrent);
        let (before, after) = (self.state(t.checked_sub(1)), self.state(Some(t)));
        let kept = if sums == 1 {
            Vec::new()
        } else {
            self.rows(Lines::all(self.passed.kept, sums * self.layer.hidden), t)
        };
        let states = (State { h: &before[0], c: &before[1] }, State { h: &after[0], c: &after[1] });
        let d = StateMut { h: &mut self.felt, c: &mut self.dc };
        self.layer.cell.derivative(n, &kept, states, d, &mut self.own);
        self.dh = self.layout.direct.then(|| self.felt.clone());
        write(&self.own, n, &mut self.da[t * self.batch * sums..]);
        for (result, own) in result.chunks_exact_mut(recurrent * n).zip(self.own.chunks_exact(sums * n)) {
            result.copy_from_slice(&own[..recurrent * n]);
        }
    }

    fn close(&mut self) {
        match &self.dh {
            None => self.felt.fill(R::zero()),
            Some(known) => self.felt.copy_from_slice(known),
        }
    }

    fn end(&mut self) {
        let (n, states) = (self.units.len(), self.layout.states());
        for (i, to) in self.dfirst.iter_mut().enumerate() {
            let from = if i % states == 0 { &self.felt } else { &self.dc };
            to.copy_from_slice(&from[i / states * n..][..n]);
        }
    }
}

/// Divides the units among the threads: evenly, and in whole words of an [`Exchange`].
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

/// The rows of a step, of H elements each, shared by all threads. Two halves are used alternately, so that a
/// thread that is one step ahead does not overwrite values that another still reads. The team's barrier
/// orders each `take` after every `give` of its step.
struct Exchange {
    words: Vec<AtomicU64>,
    rows: usize,
    hidden: usize,
}

impl Exchange {
    fn new(rows: usize, hidden: usize) -> Self {
        let words = (0..2 * rows * hidden).map(|_| AtomicU64::new(0)).collect();
        Exchange { words, rows, hidden }
    }

    /// Returns the words of the rows of a step. A row needs at most one word per element.
    fn rows(&self, step: usize) -> impl Iterator<Item = &[AtomicU64]> {
        let size = self.rows * self.hidden;
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
