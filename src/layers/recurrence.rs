//! The recurrence driver: whole sequences forward, and back through time, for every cell.
//!
//! Forward, for t = 1..T:   a_t = b + U x_t + W h_{t-1},   (h_t, c_t) = step(a_t, h_{t-1}, c_{t-1}).
//! BPTT, for t = T..1:      dh_t = dy_t + Wᵀ da_{t+1},     da_t, dc_{t-1} = derivative(dh_t, dc_t);
//! then, over all steps at once: dU = Σ da_t x_tᵀ, dW = Σ da_t h_{t-1}ᵀ, db = Σ da_t, dx_t = Uᵀ da_t.
//!
//! Each thread takes some of the batch's sequences and walks through all of time with them: sequences do not
//! wait for each other, so there is no barrier per step. W is packed once per call. The input projection runs
//! some steps ahead of the recurrence, so that U and W take turns in the cache. Everything is O(T).

use std::ops::Range;

use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::layers::cell::{Cell, Layout, State, StateMut};
use crate::layers::input::{Input, Source};
use crate::layers::linear::{self, Columns};
use crate::layers::lockstep;
use crate::layers::sequences::Sequences;
use crate::parallel::{self, Stop};

/// Most steps whose input projection is done in one go, and how many numbers of theirs stay in a core's cache.
pub(super) const AHEAD: usize = 32;
const AHEAD_NUMBERS: usize = 1 << 17;

/// What the way through time needs of a recurrent layer's parameters.
#[derive(Clone, Copy)]
pub struct Recurrent<'a, R> {
    /// The cell.
    pub cell: Cell,
    /// H
    pub hidden: usize,
    /// W (recurrent·H, H), row-major
    pub w: &'a [R],
}

/// The states of all steps, and what the way back needs beside them.
pub struct Trace<R> {
    /// h (rows, H)
    pub h: Vec<R>,
    /// c (rows, H), for cells that have one
    pub c: Vec<R>,
    /// What each step kept (rows, sums·H), for cells with more than one block of sums; empty if it was not asked for
    pub kept: Vec<R>,
    /// The state after each sequence's last step (B, states·H): h, then c
    pub last: Vec<R>,
}

/// The same, borrowed, with the state before the first step (B, states·H), where one was given.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// h (rows, H)
    pub h: &'a [R],
    /// c (rows, H), or empty
    pub c: &'a [R],
    /// kept (rows, sums·H), or empty
    pub kept: &'a [R],
    /// The state before the first step (B, states·H); zero by default
    pub first: Option<&'a [R]>,
}

impl<R: Real> Recurrent<'_, R> {
    fn layout(&self) -> Layout {
        self.cell.layout()
    }

    /// Numbers in a row of sums.
    fn width(&self) -> usize {
        self.layout().sums * self.hidden
    }

    /// Rows worth a thread.
    fn least_rows(&self) -> usize {
        linear::least_rows(2 * self.hidden * self.hidden * self.layout().recurrent)
    }

    /// Wᵀ packed for a_t's product with h_{t−1}.
    fn pack(&self, op: &'static str) -> Result<Packed<R>> {
        Packed::transposed(op, self.w, self.layout().recurrent * self.hidden, self.hidden)
    }
}

/// The states of some sequences before their first step, h and c apart.
struct First<R> {
    h: Vec<R>,
    c: Vec<R>,
    given: bool,
}

impl<R: Real> First<R> {
    fn of(layout: Layout, hidden: usize, states: Option<&[R]>, sequences: &Range<usize>) -> Self {
        let count = sequences.len() * hidden;
        let c = if layout.memory { count } else { 0 };
        let mut first = First { h: vec![R::zero(); count], c: vec![R::zero(); c], given: states.is_some() };
        if let Some(states) = states {
            let width = layout.states() * hidden;
            for (i, state) in
                states.chunks_exact(width).skip(sequences.start).take(sequences.len()).enumerate()
            {
                first.h[i * hidden..][..hidden].copy_from_slice(&state[..hidden]);
                if layout.memory {
                    first.c[i * hidden..][..hidden].copy_from_slice(&state[hidden..]);
                }
            }
        }
        first
    }

    fn state(&self) -> State<'_, R> {
        State { h: &self.h, c: &self.c }
    }
}

/// What one thread writes on the way forward: the rows of its sequences, a slice a step.
struct Shard<'a, R> {
    range: Range<usize>,
    h: Vec<&'a mut [R]>,
    c: Vec<&'a mut [R]>,
    kept: Vec<&'a mut [R]>,
    last: &'a mut [R],
}

/// All states, from those before the first step.
///
/// `keep` says whether there will be a way back.
///
/// # Errors
/// [`crate::Error::TokenId`]; [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(
    op: &'static str,
    layer: Recurrent<'_, R>,
    sequences: &Sequences,
    input: Input<'_, R>,
    first: Option<&[R]>,
    keep: bool,
) -> Result<Trace<R>> {
    let (layout, hidden, rows) = (layer.layout(), layer.hidden, sequences.rows());
    input.check(op)?;
    let when = |wanted: bool, numbers: usize| if wanted { numbers } else { 0 };
    let kept = when(keep && layout.sums > 1, layout.sums);
    let mut trace = Trace {
        h: parallel::scratch(op, &[rows, hidden])?,
        c: parallel::scratch(op, &[rows, when(layout.memory, hidden)])?,
        kept: parallel::scratch(op, &[rows, kept, hidden])?,
        last: parallel::scratch(op, &[sequences.batch(), layout.states(), hidden])?,
    };
    if sequences.is_even()
        && let Some(team) = lockstep::team(sequences.batch(), layout.recurrent * hidden, hidden)?
    {
        lockstep::forward(op, layer, sequences, input, first, &team, &mut trace)?;
        return Ok(trace);
    }
    let (w, source) = both(|| layer.pack(op), || input.source(op, layout, hidden))?;
    let ranges = sequences.shards(layer.least_rows())?;
    let mut c = sequences.split(&mut trace.c, hidden, &ranges).into_iter();
    let mut kept = sequences.split(&mut trace.kept, layout.sums * hidden, &ranges).into_iter();
    let mut last = parallel::split_rows(&mut trace.last, &ranges, layout.states() * hidden).into_iter();
    let shards: Vec<_> = sequences
        .split(&mut trace.h, hidden, &ranges)
        .into_iter()
        .zip(ranges)
        .map(|(h, range)| Shard {
            range,
            h,
            c: c.next().unwrap_or_default(),
            kept: kept.next().unwrap_or_default(),
            last: last.next().unwrap_or_default(),
        })
        .collect();
    parallel::for_each(shards, |shard, stop| {
        let start = First::of(layout, hidden, first, &shard.range);
        Forward { op, layer, sequences, w: &w, source: &source }.walk(shard, &start, stop)
    })?;
    Ok(trace)
}

type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Two things at the same time.
fn both<A: Send, B: Send>(
    a: impl FnOnce() -> Result<A> + Send,
    b: impl FnOnce() -> Result<B> + Send,
) -> Result<(A, B)> {
    let (mut first, mut second) = (None, None);
    let jobs: Vec<Job<'_>> = vec![
        Box::new(|| {
            first = Some(a()?);
            Ok(())
        }),
        Box::new(|| {
            second = Some(b()?);
            Ok(())
        }),
    ];
    parallel::for_each(jobs, |job, _| job())?;
    let (Some(a), Some(b)) = (first, second) else { unreachable!("both were done") };
    Ok((a, b))
}

/// The way forward of some sequences.
struct Forward<'a, R: Real> {
    op: &'static str,
    layer: Recurrent<'a, R>,
    sequences: &'a Sequences,
    w: &'a Packed<R>,
    source: &'a Source<'a, R>,
}

impl<R: Real> Forward<'_, R> {
    fn walk(&self, mut shard: Shard<'_, R>, start: &First<R>, stop: &Stop<'_>) -> Result<()> {
        let (layout, hidden, width) = (self.layer.layout(), self.layer.hidden, self.layer.width());
        let count = shard.range.len();
        let ahead = (AHEAD_NUMBERS / (count * width).max(1)).clamp(4, AHEAD);
        // Sums that nobody keeps are made in a ring of some steps.
        let ring = if layout.sums > 1 && shard.kept.is_empty() { ahead.min(shard.h.len()) } else { 0 };
        let mut ring = parallel::scratch(self.op, &[ring, count, width])?;
        let Shard { range, h, c, kept, last } = &mut shard;
        for t in 0..h.len() {
            if t % ahead == 0 {
                for step in t..h.len().min(t + ahead) {
                    let sums = sums_of(step, ahead, count * width, h, kept, &mut ring);
                    self.begin(step, range, sums);
                }
            }
            let rows = h[t].len() / hidden.max(1);
            if rows == 0 {
                break;
            }
            let (h_before, h_after) = h.split_at_mut(t);
            let memory = c.len();
            let (c_before, c_after) = c.split_at_mut(t.min(memory));
            let before = match (h_before.last(), c_before.last()) {
                (None, _) => start.state(),
                (Some(h), c) => State { h, c: c.map_or(&[], |c| c) },
            };
            let c = c_after.first_mut().map_or(&mut [][..], |c| c);
            let (sums, after) = if layout.sums == 1 {
                (&mut *h_after[0], StateMut { h: &mut [], c })
            } else if kept.is_empty() {
                (&mut ring[t % ahead * count * width..][..rows * width], StateMut { h: h_after[0], c })
            } else {
                (&mut *kept[t], StateMut { h: h_after[0], c })
            };
            if t > 0 || start.given {
                let previous = Rows { data: before.h, stride: hidden, count: rows };
                self.w.multiply(previous, Start::Accumulate, RowsMut { data: sums, stride: width });
            }
            self.layer.cell.step(hidden, sums, before, after);
            if stop.requested() {
                return Ok(());
            }
        }
        self.finish((h, c), start, last);
        Ok(())
    }

    /// b + U x_t of some sequences.
    fn begin(&self, t: usize, range: &Range<usize>, sums: &mut [R]) {
        let rows = self.sequences.going_on(t, range);
        if !rows.is_empty() {
            self.source.fill(self.sequences.start(t) + rows.start, rows.len(), sums);
        }
    }

    /// The state after each sequence's last step.
    fn finish(&self, (h, c): (&[&mut [R]], &[&mut [R]]), start: &First<R>, last: &mut [R]) {
        let (layout, hidden) = (self.layer.layout(), self.layer.hidden);
        let width = layout.states() * hidden;
        let mut t = h.len();
        // The later a sequence stands, the shorter it is.
        for (i, last) in last.chunks_exact_mut(width.max(1)).enumerate() {
            while t > 0 && h[t - 1].len() <= i * hidden {
                t -= 1;
            }
            let state = match t.checked_sub(1) {
                None => start.state(),
                Some(t) => State { h: &*h[t], c: c.get(t).map_or(&[], |c| &**c) },
            };
            last[..hidden].copy_from_slice(&state.h[i * hidden..][..hidden]);
            if layout.memory {
                last[hidden..].copy_from_slice(&state.c[i * hidden..][..hidden]);
            }
        }
    }
}

/// Where the sums of a step are made: in h itself, in what is kept, or in the ring.
fn sums_of<'a, R>(
    step: usize,
    ahead: usize,
    room: usize,
    h: &'a mut [&mut [R]],
    kept: &'a mut [&mut [R]],
    ring: &'a mut [R],
) -> &'a mut [R] {
    match (ring.is_empty(), kept.is_empty()) {
        (false, _) => &mut ring[step % ahead * room..][..room],
        (true, false) => &mut *kept[step],
        (true, true) => &mut *h[step],
    }
}

/// Back through time: (da (rows, sums·H), the gradient of the states before the first step (B, states·H)).
///
/// `dy` (rows, H) is what the layers above say of h, `dlast` (B, states·H) what is said of the state after each sequence's
/// last step; nothing by default.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    op: &'static str,
    layer: Recurrent<'_, R>,
    sequences: &Sequences,
    passed: Passed<'_, R>,
    dy: Option<&[R]>,
    dlast: Option<&[R]>,
) -> Result<(Vec<R>, Vec<R>)> {
    let (layout, hidden) = (layer.layout(), layer.hidden);
    let states = layout.states() * hidden;
    let mut da = parallel::scratch(op, &[sequences.rows(), layer.width()])?;
    let mut dfirst = parallel::scratch(op, &[sequences.batch(), states])?;
    if sequences.is_even()
        && let Some(team) = lockstep::team(sequences.batch(), layout.recurrent * hidden, hidden)?
    {
        lockstep::backward(op, layer, sequences, passed, (dy, dlast), &team, (&mut da, &mut dfirst))?;
        return Ok((da, dfirst));
    }
    let w = Packed::of(op, layer.w, layout.recurrent * hidden, hidden)?;
    let ranges = sequences.shards(layer.least_rows())?;
    let parts: Vec<_> = sequences
        .split(&mut da, layer.width(), &ranges)
        .into_iter()
        .zip(parallel::split_rows(&mut dfirst, &ranges, states))
        .zip(&ranges)
        .collect();
    parallel::for_each(parts, |((da, dfirst), range), stop| {
        let start = First::of(layout, hidden, passed.first, range);
        let way = Backward { layer, sequences, passed, dy, dlast, w: &w, range };
        way.walk(da, dfirst, &start, stop);
        Ok(())
    })?;
    Ok((da, dfirst))
}

/// The way back of some sequences.
struct Backward<'a, R: Real> {
    layer: Recurrent<'a, R>,
    sequences: &'a Sequences,
    passed: Passed<'a, R>,
    dy: Option<&'a [R]>,
    dlast: Option<&'a [R]>,
    w: &'a Packed<R>,
    range: &'a Range<usize>,
}

impl<R: Real> Backward<'_, R> {
    fn walk(&self, mut da: Vec<&mut [R]>, dfirst: &mut [R], start: &First<R>, stop: &Stop<'_>) {
        let (layout, hidden, width) = (self.layer.layout(), self.layer.hidden, self.layer.width());
        let count = self.range.len();
        let mut dh = vec![R::zero(); count * hidden];
        let mut dc = vec![R::zero(); if layout.memory { count * hidden } else { 0 }];
        // The sequences whose next step has been gone back through.
        let mut known = 0;
        for t in (0..da.len()).rev() {
            let rows = da[t].len() / width.max(1);
            if rows == 0 {
                continue;
            }
            let row = self.sequences.start(t) + self.range.start;
            let (until_now, after) = da.split_at_mut(t + 1);
            if let Some(da_next) = after.first().filter(|_| known > 0) {
                self.through_time(da_next, (row, known), &mut dh);
            }
            self.ending(row, known..rows, &mut dh, &mut dc);
            let before = match t.checked_sub(1) {
                None => start.state(),
                Some(t) => self.state(self.sequences.start(t) + self.range.start, rows),
            };
            let after = self.state(row, rows);
            let kept = if layout.sums == 1 { &[] } else { &self.passed.kept[row * width..][..rows * width] };
            let d = StateMut {
                h: &mut dh[..rows * hidden],
                c: &mut dc[..rows * hidden * usize::from(layout.memory)],
            };
            self.layer.cell.derivative(hidden, kept, (before, after), d, until_now[t]);
            known = rows;
            if stop.requested() {
                return;
            }
        }
        if let Some(da_first) = da.first().filter(|_| known > 0) {
            let da_first = Rows { data: da_first, stride: width, count: known };
            let begin = if layout.direct { Start::Accumulate } else { Start::Zero };
            self.w.multiply(da_first, begin, RowsMut { data: &mut dh, stride: hidden });
        }
        // Sequences of no steps: what comes in goes out.
        self.ending_states(known..count, &mut dh, &mut dc);
        let states = layout.states() * hidden;
        for (i, dfirst) in dfirst.chunks_exact_mut(states.max(1)).enumerate() {
            dfirst[..hidden].copy_from_slice(&dh[i * hidden..][..hidden]);
            if layout.memory {
                dfirst[hidden..].copy_from_slice(&dc[i * hidden..][..hidden]);
            }
        }
    }

    /// Rows of the states that were passed through.
    fn state(&self, row: usize, count: usize) -> State<'_, R> {
        let (first, numbers) = (row * self.layer.hidden, count * self.layer.hidden);
        let of = |states: &'_ [R]| -> Range<usize> {
            if states.is_empty() { 0..0 } else { first..first + numbers }
        };
        let Passed { h, c, .. } = self.passed;
        State { h: &h[of(h)], c: &c[of(c)] }
    }

    /// dh_t = dy_t + Wᵀ da_{t+1} (+ what h_{t+1} took of h_t directly) of the first rows of a step.
    fn through_time(&self, da_next: &[R], (row, count): (usize, usize), dh: &mut [R]) {
        let (layout, hidden) = (self.layer.layout(), self.layer.hidden);
        let dy = self.dy.map(|dy| &dy[row * hidden..][..count * hidden]);
        let da_next = Rows { data: da_next, stride: self.layer.width(), count };
        let begin = match dy {
            _ if layout.direct => {
                if let Some(dy) = dy {
                    dh.iter_mut().zip(dy).for_each(|(dh, &dy)| *dh += dy);
                }
                Start::Accumulate
            }
            Some(data) => Start::Rows(Rows { data, stride: hidden, count }),
            None => Start::Zero,
        };
        self.w.multiply(da_next, begin, RowsMut { data: dh, stride: hidden });
    }

    /// dh_t and dc_t of the sequences that end at this step.
    fn ending(&self, row: usize, rows: Range<usize>, dh: &mut [R], dc: &mut [R]) {
        if rows.is_empty() {
            return;
        }
        self.ending_states(rows.clone(), dh, dc);
        if let Some(dy) = self.dy {
            let hidden = self.layer.hidden;
            let dy = &dy[(row + rows.start) * hidden..(row + rows.end) * hidden];
            dh[rows.start * hidden..].iter_mut().zip(dy).for_each(|(dh, &dy)| *dh += dy);
        }
    }

    /// dh and dc of some sequences' last states, as they are given.
    fn ending_states(&self, rows: Range<usize>, dh: &mut [R], dc: &mut [R]) {
        let (layout, hidden) = (self.layer.layout(), self.layer.hidden);
        let states = layout.states() * hidden;
        for i in rows {
            let dh = &mut dh[i * hidden..][..hidden];
            let Some(dlast) = self.dlast else {
                dh.fill(R::zero());
                continue;
            };
            let dlast = &dlast[(self.range.start + i) * states..][..states];
            dh.copy_from_slice(&dlast[..hidden]);
            if layout.memory {
                dc[i * hidden..][..hidden].copy_from_slice(&dlast[hidden..]);
            }
        }
    }
}

/// Adds dW (recurrent·H, H) = Σ da_t h_{t−1}ᵀ of da (rows, sums·H), as one product over all rows.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn recurrent_gradient<R: Real>(
    op: &'static str,
    (cell, hidden): (Cell, usize),
    sequences: &Sequences,
    da: &[R],
    (first, h): (Option<&[R]>, &[R]),
    dw: &mut [R],
) -> Result<()> {
    let layout = cell.layout();
    let (width, states, begun) = (layout.sums * hidden, layout.states() * hidden, sequences.count(0));
    if sequences.rows() == 0 {
        return Ok(());
    }
    let columns = |data| Columns { data, width, range: 0..layout.recurrent * hidden };
    let (da_first, da_rest) = da.split_at(begun * width);
    if let Some(first) = first {
        let h0: Vec<R> = first.chunks_exact(states).take(begun).flat_map(|s| &s[..hidden]).copied().collect();
        linear::accumulate_weights(op, &columns(da_first), (&h0, hidden), dw)?;
    }
    if sequences.is_even() {
        let before = &h[..h.len() - begun * hidden];
        return linear::accumulate_weights(op, &columns(da_rest), (before, hidden), dw);
    }
    // The states before the steps, without those that no step follows.
    let mut before = parallel::scratch(op, &[sequences.rows() - begun, hidden])?;
    let mut rest = &mut before[..];
    for t in 1..sequences.steps() {
        let (rows, after) = std::mem::take(&mut rest).split_at_mut(sequences.count(t) * hidden);
        rows.copy_from_slice(&h[sequences.start(t - 1) * hidden..][..rows.len()]);
        rest = after;
    }
    linear::accumulate_weights(op, &columns(da_rest), (&before, hidden), dw)
}

/// Adds dU = Σ da_t x_tᵀ, of da (rows, sums·H) and x (rows, I), and db (sums·H) = Σ da_t; gives dx (rows, I) where it is
/// wanted.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn input_gradients<R: Real>(
    op: &'static str,
    (cell, hidden): (Cell, usize),
    da: &[R],
    (x, u, inputs): (&[R], &[R], usize),
    (du, db): (&mut [R], &mut [R]),
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    let layout = cell.layout();
    let width = layout.sums * hidden;
    let rows = da.len() / width.max(1);
    linear::accumulate_bias(da, width, db)?;
    let mut dx = if need_dx { Some(parallel::scratch(op, &[rows, inputs])?) } else { None };
    let mut row = 0;
    for &(first, blocks) in layout.inputs {
        let da = Columns { data: da, width, range: first * hidden..(first + blocks) * hidden };
        let rows_of_u = row * hidden * inputs..(row + blocks) * hidden * inputs;
        linear::accumulate_weights(op, &da, (x, inputs), &mut du[rows_of_u.clone()])?;
        if let Some(dx) = &mut dx {
            let u = Packed::of(op, &u[rows_of_u], blocks * hidden, inputs)?;
            linear::product(&da, rows, &u, if row == 0 { Start::Zero } else { Start::Accumulate }, dx)?;
        }
        row += blocks;
    }
    Ok(dx)
}
