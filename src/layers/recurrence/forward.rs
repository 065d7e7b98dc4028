//! The forward pass through time.

use std::ops::Range;

use super::input::Source;
use super::{
    AHEAD, AHEAD_NUMBERS, APART, First, Input, Recurrent, Sequences, Trace, division, extras, lockstep,
};
use crate::error::Result;
use crate::kernels::{self, Packed, Real, Rows, RowsMut, Start};
use crate::layers::cell::{State, StateMut};
use crate::parallel::{self, Stop};

/// Minimum number of rows that fill the product's register tile.
const FEW: usize = 8;

/// The outputs of the forward pass of a group of sequences: their rows, one slice per step.
struct Shard<'a, R> {
    range: Range<usize>,
    h: Vec<&'a mut [R]>,
    c: Vec<&'a mut [R]>,
    kept: Vec<&'a mut [R]>,
    last: &'a mut [R],
    normed: [Vec<&'a mut [R]>; 2],
}

/// Computes all states, from the initial ones.
///
/// `keep` stores the values that a backward pass needs.
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
    let normed = keep && layer.extras.norm.is_some();
    let mut trace = Trace {
        h: parallel::scratch(op, &[rows, hidden])?,
        c: parallel::scratch(op, &[rows, when(layout.memory, hidden)])?,
        kept: parallel::scratch(op, &[rows, kept, hidden])?,
        last: parallel::scratch(op, &[sequences.batch(), layout.states(), hidden])?,
        normed: [
            parallel::scratch(op, &[rows, when(normed, layout.sums), hidden])?,
            parallel::scratch(op, &[rows, when(normed, layout.sums)])?,
        ],
    };
    if sequences.is_even()
        && layer.extras.is_none()
        && let Some(team) = division::team::<R>(sequences.batch(), layout.recurrent * hidden, hidden, 1)?
    {
        lockstep::forward(op, layer, sequences, input, first, &team, &mut trace)?;
        return Ok(trace);
    }
    let ranges = layer.groups(sequences)?;
    let (pack, project) = (|| layer.pack(op), || input.source(op, layout, hidden));
    let apart = layer.w.len().max(input.numbers_of_u()) <= APART;
    let shared = if apart { None } else { Some(both(pack, project)?) };
    let mut c = sequences.split(&mut trace.c, hidden, &ranges).into_iter();
    let mut kept = sequences.split(&mut trace.kept, layout.sums * hidden, &ranges).into_iter();
    let [hat, scales] = &mut trace.normed;
    let mut hat = sequences.split(hat, layout.sums * hidden, &ranges).into_iter();
    let mut scales = sequences.split(scales, layout.sums, &ranges).into_iter();
    let mut last = parallel::split_rows(&mut trace.last, &ranges, layout.states() * hidden).into_iter();
    let shards: Vec<_> = sequences
        .split(&mut trace.h, hidden, &ranges)
        .into_iter()
        .zip(&ranges)
        .map(|(h, range)| Shard {
            range: range.clone(),
            h,
            c: c.next().unwrap_or_default(),
            kept: kept.next().unwrap_or_default(),
            last: last.next().unwrap_or_default(),
            normed: [hat.next().unwrap_or_default(), scales.next().unwrap_or_default()],
        })
        .collect();
    parallel::for_each(sequences.deal(&ranges, shards)?, |shards, stop| {
        let own;
        let (w, source) = if let Some(shared) = &shared {
            shared
        } else {
            own = (pack()?, project()?);
            &own
        };
        for shard in shards {
            let start = First::of(layout, hidden, first, &shard.range);
            Forward { op, layer, sequences, w, source }.walk(shard, &start, stop)?;
        }
        Ok(())
    })?;
    Ok(trace)
}

type Job<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Runs two functions in parallel.
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
    let (Some(a), Some(b)) = (first, second) else { unreachable!("both functions ran") };
    Ok((a, b))
}

/// The forward pass of some sequences.
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
        // The pre-activations are computed in a ring buffer of a few steps if they are not kept, or if a step
        // has so few rows that several steps are better multiplied together.
        let together = self.together(&shard.range);
        let unkept = layout.sums > 1 && shard.kept.is_empty();
        let ring = if unkept || together.is_some() { ahead.min(shard.h.len()) } else { 0 };
        let mut ring = parallel::scratch(self.op, &[ring, count, width])?;
        let Shard { range, h, c, kept, last, normed } = &mut shard;
        let mut besides = Besides::new(&self.layer, normed, count);
        let (far, scattered) = (self.layer.is_far(self.sequences), self.source.is_scattered());
        let mut gathered = Vec::new();
        for t in 0..h.len() {
            if t % ahead == 0 {
                let steps = t..h.len().min(t + ahead);
                if let Some(stride) = together {
                    let first = self.sequences.start(t) + range.start;
                    self.source.fill((first, stride, steps.len() * count), &mut gathered, &mut ring);
                } else {
                    for step in steps {
                        let sums = sums_of(step, ahead, count * width, h, kept, &mut ring);
                        self.begin(step, range, &mut gathered, sums);
                    }
                }
            }
            let rows = h[t].len() / hidden.max(1);
            if rows == 0 {
                break;
            }
            if (far || scattered) && t + ahead < h.len() {
                self.expect(t + ahead, range);
                if far && ring.is_empty() {
                    kernels::prefetch(sums_of(t + ahead, ahead, count * width, h, kept, &mut ring));
                }
            }
            let (h_before, h_after) = h.split_at_mut(t);
            let memory = c.len();
            let (c_before, c_after) = c.split_at_mut(t.min(memory));
            let before = match (h_before.last(), c_before.last()) {
                (None, _) => start.state(),
                (Some(h), c) => State { h, c: c.map_or(&[], |c| c) },
            };
            let c = c_after.first_mut().map_or(&mut [][..], |c| c);
            let begun =
                ring.chunks_exact_mut(count * width).nth(t % ahead).map(|begun| &mut begun[..rows * width]);
            let (sums, begun, mut after) = if layout.sums == 1 {
                (&mut *h_after[0], begun, StateMut { h: &mut [], c })
            } else {
                let after = StateMut { h: h_after[0], c };
                match (kept.get_mut(t), begun) {
                    (None, Some(begun)) => (begun, None, after),
                    (None, None) => unreachable!("pre-activations that are not kept have a ring buffer"),
                    (Some(kept), begun) => (&mut **kept, begun, after),
                }
            };
            if let Some(begun) = begun {
                sums.copy_from_slice(begun);
            }
            if t > 0 || start.given {
                let previous =
                    Rows { data: besides.before_product(before.h, range), stride: hidden, count: rows };
                self.w.multiply(previous, Start::Accumulate, RowsMut { data: sums, stride: width });
            }
            besides.before_step(t, sums);
            self.layer.cell.step(hidden, sums, before, after.by_reference());
            besides.after_step(
                t,
                range,
                before,
                if layout.sums == 1 { StateMut { h: sums, c: &mut [] } } else { after },
            );
            if stop.requested() {
                return Ok(());
            }
        }
        self.finish((h, c), start, last);
        Ok(())
    }

    /// Returns the row stride if the rows of several steps form one product: few rows per
    /// step, equally spaced.
    fn together(&self, range: &Range<usize>) -> Option<usize> {
        let (count, batch) = (range.len(), self.sequences.batch());
        let stride = if count == batch { 1 } else { batch };
        (self.sequences.is_even() && count < FEW && (count == 1 || count == batch)).then_some(stride)
    }

    /// Computes b + U x_t of some sequences.
    fn begin(&self, t: usize, range: &Range<usize>, room: &mut Vec<R>, sums: &mut [R]) {
        let rows = self.sequences.going_on(t, range);
        if !rows.is_empty() {
            self.source.fill((self.sequences.start(t) + rows.start, 1, rows.len()), room, sums);
        }
    }

    /// Prefetches the rows of x of some sequences.
    fn expect(&self, t: usize, range: &Range<usize>) {
        let rows = self.sequences.going_on(t, range);
        if !rows.is_empty() {
            self.source.expect(self.sequences.start(t) + rows.start, rows.len());
        }
    }

    /// Stores the state after each sequence's last step.
    fn finish(&self, (h, c): (&[&mut [R]], &[&mut [R]]), start: &First<R>, last: &mut [R]) {
        let (layout, hidden) = (self.layer.layout(), self.layer.hidden);
        let width = layout.states() * hidden;
        let mut t = h.len();
        // Sequences are sorted by length, longest first.
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

/// The additions of [`extras`] in the forward pass of some sequences, with scratch buffers.
struct Besides<'a, 'b, R> {
    layer: &'a Recurrent<'a, R>,
    /// x̂ and the scales of each step, if they are kept
    normed: &'a mut [Vec<&'b mut [R]>; 2],
    /// Scratch for a step's masked h, or for zoneout's mask
    room: Vec<R>,
    /// Scratch for x̂ and the scales
    hat: [Vec<R>; 2],
}

impl<'a, 'b, R: Real> Besides<'a, 'b, R> {
    fn new(layer: &'a Recurrent<'a, R>, normed: &'a mut [Vec<&'b mut [R]>; 2], count: usize) -> Self {
        let (none, sums) = (layer.extras.is_none(), layer.layout().sums);
        let needed = if layer.extras.norm.is_some() && normed[0].is_empty() { count * sums } else { 0 };
        let room = vec![R::zero(); if none { 0 } else { count * layer.hidden }];
        Besides {
            layer,
            normed,
            room,
            hat: [vec![R::zero(); needed * layer.hidden], vec![R::zero(); needed]],
        }
    }

    /// Returns h_{t−1} as it enters the product with W.
    fn before_product<'c>(&'c mut self, h: &'c [R], range: &Range<usize>) -> &'c [R] {
        let Some(mask) = self.layer.extras.mask else { return h };
        let mask = &mask[range.start * self.layer.hidden..];
        for ((room, &h), &m) in self.room.iter_mut().zip(h).zip(mask) {
            *room = h * m;
        }
        &self.room
    }

    /// Normalizes the pre-activations.
    fn before_step(&mut self, t: usize, sums: &mut [R]) {
        let Some(norm) = self.layer.extras.norm else { return };
        let norm = extras::norm(norm, self.layer.hidden);
        match self.normed {
            [hat, scales] if !hat.is_empty() => kernels::normalize(norm, sums, hat[t], scales[t]),
            _ => {
                let [hat, scales] = &mut self.hat;
                kernels::normalize(norm, sums, hat, scales);
            }
        }
    }

    /// Restores the previous state of some units (zoneout).
    fn after_step(&mut self, t: usize, range: &Range<usize>, before: State<'_, R>, after: StateMut<'_, R>) {
        let Some(zoneout) = self.layer.extras.zoneout else { return };
        let hidden = self.layer.hidden;
        for (kind, (before, after)) in [(before.h, after.h), (before.c, after.c)].into_iter().enumerate() {
            let rows = after.len() / hidden;
            let renewed = &mut self.room[..after.len()];
            zoneout.renewed(kind, t, range.start..range.start + rows, hidden, renewed);
            extras::mix(renewed, before, after);
        }
    }
}

/// Returns the place where a step's pre-activations are computed: h itself, the kept values, or
/// the ring buffer.
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
