//! The backward pass through time.

use std::ops::Range;

use super::{APART, First, Passed, Recurrent, Sequences, division, extras, lockstep};
use crate::error::Result;
use crate::kernels::{self, Lines, Packed, Real, Rows, RowsMut, Start};
use crate::layers::cell::{State, StateMut};
use crate::parallel::{self, Stop};

/// Number of steps ahead of its use at which a step's data is prefetched.
const SOON: usize = 4;

/// The results of the backward pass.
pub struct Back<R> {
    /// da (rows, sums·H), the gradient of the pre-activations (before a normalization)
    pub da: Vec<R>,
    /// The gradient of the initial states (B, states·H)
    pub dfirst: Vec<R>,
    /// The gradients of a normalization's γ and β (sums·H), or empty
    pub dnorm: [Vec<R>; 2],
}

/// Runs the backward pass through time.
///
/// `dy` (rows, H) is the upstream gradient of h; `dlast` (B, states·H) is that of the state after each
/// sequence's last step. Both are zero by default.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    op: &'static str,
    layer: Recurrent<'_, R>,
    sequences: &Sequences,
    passed: Passed<'_, R>,
    dy: Option<Lines<'_, R>>,
    dlast: Option<&[R]>,
) -> Result<Back<R>> {
    let (layout, hidden) = (layer.layout(), layer.hidden);
    let (states, width) = (layout.states() * hidden, layer.width());
    let mut da = parallel::scratch(op, &[sequences.rows(), width])?;
    let mut dfirst = parallel::scratch(op, &[sequences.batch(), states])?;
    if sequences.is_even()
        && layer.extras.is_none()
        && let Some(team) =
            division::team::<R>(sequences.batch(), layout.recurrent * hidden, hidden, layout.recurrent)?
    {
        lockstep::backward(op, layer, sequences, passed, (dy, dlast), &team, (&mut da, &mut dfirst))?;
        return Ok(Back { da, dfirst, dnorm: [Vec::new(), Vec::new()] });
    }
    let pack = || Packed::of(op, layer.w, layout.recurrent * hidden, hidden);
    let shared = if layer.w.len() <= APART { None } else { Some(pack()?) };
    let ranges = layer.groups(sequences)?;
    // The gradients of a normalization are summed per sequence, so their bits do not depend on the threads.
    let normed = if layer.extras.norm.is_some() { sequences.batch() } else { 0 };
    let mut dnorms = [parallel::zeros(op, &[normed, width])?, parallel::zeros(op, &[normed, width])?];
    let [dgain, dshift] = &mut dnorms;
    let normed_width = if normed == 0 { 0 } else { width };
    let parts: Vec<_> = sequences
        .split(&mut da, width, &ranges)
        .into_iter()
        .zip(parallel::split_rows(&mut dfirst, &ranges, states))
        .zip(parallel::split_rows(dgain, &ranges, normed_width).into_iter().zip(parallel::split_rows(
            dshift,
            &ranges,
            normed_width,
        )))
        .zip(&ranges)
        .collect();
    parallel::for_each(sequences.deal(&ranges, parts)?, |parts, stop| {
        let own;
        let w = if let Some(shared) = &shared {
            shared
        } else {
            own = pack()?;
            &own
        };
        for (((da, dfirst), dnorm), range) in parts {
            let start = First::of(layout, hidden, passed.first, range);
            let way = Backward { layer, sequences, passed, dy, dlast, w, range };
            way.walk(da, dfirst, dnorm, &start, stop);
        }
        Ok(())
    })?;
    Ok(Back { da, dfirst, dnorm: dnorms.map(|rows| total(&rows, normed_width)) })
}

/// Sums some rows.
fn total<R: Real>(rows: &[R], width: usize) -> Vec<R> {
    let mut total = vec![R::zero(); width];
    for row in rows.chunks_exact(width.max(1)) {
        total.iter_mut().zip(row).for_each(|(total, &x)| *total += x);
    }
    total
}

/// The gradients ∂L/∂h and ∂L/∂c of some sequences at a step, dh and dc (count, H), and three scratch
/// buffers of that size.
struct Felt<R> {
    h: Vec<R>,
    c: Vec<R>,
    room: [Vec<R>; 3],
}

/// The backward pass of some sequences.
struct Backward<'a, R: Real> {
    layer: Recurrent<'a, R>,
    sequences: &'a Sequences,
    passed: Passed<'a, R>,
    dy: Option<Lines<'a, R>>,
    dlast: Option<&'a [R]>,
    w: &'a Packed<R>,
    range: &'a Range<usize>,
}

impl<R: Real> Backward<'_, R> {
    fn walk(
        &self,
        mut da: Vec<&mut [R]>,
        dfirst: &mut [R],
        mut dnorm: (&mut [R], &mut [R]),
        start: &First<R>,
        stop: &Stop<'_>,
    ) {
        let (layout, hidden, width) = (self.layer.layout(), self.layer.hidden, self.layer.width());
        let (count, memory) = (self.range.len(), usize::from(layout.memory));
        let mut d = Felt {
            h: vec![R::zero(); count * hidden],
            c: vec![R::zero(); count * hidden * memory],
            room: std::array::from_fn(|_| {
                vec![R::zero(); if self.layer.extras.is_none() { 0 } else { count * hidden }]
            }),
        };
        let far = self.layer.is_far(self.sequences);
        let mut gathered = Vec::new();
        // Number of sequences for which the step after t has been processed.
        let mut known = 0;
        for t in (0..da.len()).rev() {
            let rows = da[t].len() / width.max(1);
            if rows == 0 {
                continue;
            }
            let row = self.sequences.start(t) + self.range.start;
            if let Some(coming) = t.checked_sub(SOON) {
                self.expect(coming, far, &*da[coming]);
            }
            let (until_now, after) = da.split_at_mut(t + 1);
            if let Some(da_next) = after.first().filter(|_| known > 0) {
                let dy = self.dy.map(|dy| dy.rows(row, 1, known, &mut gathered));
                self.through_time(da_next, dy, known, &mut d);
            }
            self.ending(row, known..rows, &mut d);
            self.step((t, row, rows), start, &mut d, until_now[t], &mut dnorm);
            known = rows;
            if stop.requested() {
                return;
            }
        }
        if let Some(da_first) = da.first().filter(|_| known > 0) {
            self.through_time(da_first, None, known, &mut d);
        }
        // Sequences without steps pass the gradient of their last state on to their initial state.
        self.ending_states(known..count, &mut d);
        let states = layout.states() * hidden;
        for (i, dfirst) in dfirst.chunks_exact_mut(states.max(1)).enumerate() {
            dfirst[..hidden].copy_from_slice(&d.h[i * hidden..][..hidden]);
            if layout.memory {
                dfirst[hidden..].copy_from_slice(&d.c[i * hidden..][..hidden]);
            }
        }
    }

    /// Computes da_t from the gradients of the states after the step, which become the direct part of the
    /// gradients of the states before it.
    fn step(
        &self,
        (t, row, rows): (usize, usize, usize),
        start: &First<R>,
        d: &mut Felt<R>,
        da: &mut [R],
        dnorm: &mut (&mut [R], &mut [R]),
    ) {
        let (layout, hidden, width) = (self.layer.layout(), self.layer.hidden, self.layer.width());
        let extras = &self.layer.extras;
        let before = match t.checked_sub(1) {
            None => start.state(),
            Some(t) => self.state(self.sequences.start(t) + self.range.start, rows),
        };
        let (numbers, memory) = (rows * hidden, rows * hidden * usize::from(layout.memory));
        if let Some(zoneout) = extras.zoneout {
            let [renewed, h, c] = &mut d.room;
            let sequences = self.range.start..self.range.start + rows;
            for (kind, (d, kept)) in
                [(&mut d.h[..numbers], h), (&mut d.c[..memory], c)].into_iter().enumerate()
            {
                let renewed = &mut renewed[..d.len()];
                zoneout.renewed(kind, t, sequences.clone(), hidden, renewed);
                extras::part(renewed, d, kept);
            }
        }
        let kept = if layout.sums == 1 { &[] } else { &self.passed.kept[row * width..][..rows * width] };
        let felt = StateMut { h: &mut d.h[..numbers], c: &mut d.c[..memory] };
        self.layer.cell.derivative(hidden, kept, (before, self.state(row, rows)), felt, da);
        if extras.zoneout.is_some() {
            if !layout.direct {
                d.h[..numbers].fill(R::zero());
            }
            for (d, kept) in [(&mut d.h[..numbers], &d.room[1]), (&mut d.c[..memory], &d.room[2])] {
                d.iter_mut().zip(kept).for_each(|(d, &kept)| *d += kept);
            }
        }
        if let Some(norm) = extras.norm {
            let [hat, scales] = self.passed.normed;
            let of =
                (&hat[row * width..][..rows * width], &scales[row * layout.sums..][..rows * layout.sums]);
            kernels::differentiate_norm(extras::norm(norm, hidden), of, da, (dnorm.0, dnorm.1));
        }
    }

    /// Prefetches a step's data if it is `far`, and rows of dy that are not contiguous.
    fn expect(&self, t: usize, far: bool, da: &[R]) {
        let rows = self.sequences.going_on(t, self.range);
        let row = self.sequences.start(t) + rows.start;
        if let Some(dy) = self.dy.filter(|dy| far || dy.is_ordered()) {
            dy.expect(row..row + rows.len());
        }
        if !far {
            return;
        }
        let State { h, c } = self.state(row, rows.len());
        let numbers = |width: usize| row * width..(row + rows.len()) * width;
        let kept =
            if self.passed.kept.is_empty() { &[] } else { &self.passed.kept[numbers(self.layer.width())] };
        [h, c, kept, da].into_iter().for_each(kernels::prefetch);
    }

    /// Returns rows of the states of the forward pass.
    fn state(&self, row: usize, count: usize) -> State<'_, R> {
        let (first, numbers) = (row * self.layer.hidden, count * self.layer.hidden);
        let of = |states: &'_ [R]| -> Range<usize> {
            if states.is_empty() { 0..0 } else { first..first + numbers }
        };
        let Passed { h, c, .. } = self.passed;
        State { h: &h[of(h)], c: &c[of(c)] }
    }

    /// Computes dh_t = dy_t + Wᵀ da_{t+1} (+ the direct gradient from h_{t+1}) for the first rows of a step.
    fn through_time(&self, da_next: &[R], dy: Option<Rows<'_, R>>, count: usize, d: &mut Felt<R>) {
        let (hidden, extras) = (self.layer.hidden, &self.layer.extras);
        let direct = self.layer.layout().direct || extras.zoneout.is_some();
        let dh = &mut d.h[..];
        let da_next = Rows { data: da_next, stride: self.layer.width(), count };
        let begin = match dy {
            _ if direct => {
                if let Some(dy) = dy {
                    dh[..count * hidden].iter_mut().zip(dy.data).for_each(|(dh, &dy)| *dh += dy);
                }
                Start::Accumulate
            }
            Some(dy) => Start::Rows(dy),
            None => Start::Zero,
        };
        let Some(mask) = extras.mask else {
            self.w.multiply(da_next, begin, RowsMut { data: dh, stride: hidden });
            return;
        };
        let through = &mut d.room[0];
        self.w.multiply(da_next, Start::Zero, RowsMut { data: through, stride: hidden });
        match begin {
            Start::Rows(dy) => dh[..count * hidden].copy_from_slice(&dy.data[..count * hidden]),
            Start::Zero => dh[..count * hidden].fill(R::zero()),
            _ => {}
        }
        let masked = through.iter().zip(&mask[self.range.start * hidden..]);
        dh[..count * hidden].iter_mut().zip(masked).for_each(|(dh, (&through, &m))| *dh += through * m);
    }

    /// Sets dh_t and dc_t of the sequences that end at this step.
    fn ending(&self, row: usize, rows: Range<usize>, d: &mut Felt<R>) {
        if rows.is_empty() {
            return;
        }
        self.ending_states(rows.clone(), d);
        if let Some(dy) = self.dy {
            let hidden = self.layer.hidden;
            for i in rows {
                d.h[i * hidden..].iter_mut().zip(dy.row(row + i)).for_each(|(dh, &dy)| *dh += dy);
            }
        }
    }

    /// Sets dh and dc of some sequences to the gradients of their last states.
    fn ending_states(&self, rows: Range<usize>, d: &mut Felt<R>) {
        let (layout, hidden) = (self.layer.layout(), self.layer.hidden);
        let states = layout.states() * hidden;
        for i in rows {
            let dh = &mut d.h[i * hidden..][..hidden];
            let Some(dlast) = self.dlast else {
                dh.fill(R::zero());
                continue; // dc is zero: no later step has written there
            };
            let dlast = &dlast[(self.range.start + i) * states..][..states];
            dh.copy_from_slice(&dlast[..hidden]);
            if layout.memory {
                d.c[i * hidden..][..hidden].copy_from_slice(&dlast[hidden..]);
            }
        }
    }
}
