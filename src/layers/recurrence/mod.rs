//! The recurrence driver: whole sequences, forward and backward through time, for every cell.
//!
//! Forward, for t = 1..T:   a_t = b + U x_t + W h_{t-1},   (h_t, c_t) = step(a_t, h_{t-1}, c_{t-1}).
//! BPTT, for t = T..1:      dh_t = dy_t + Wᵀ da_{t+1},     da_t, dc_{t-1} = derivative(dh_t, dc_t);
//! then, over all steps at once: dU = Σ da_t x_tᵀ, dW = Σ da_t h_{t-1}ᵀ, db = Σ da_t, dx_t = Uᵀ da_t.
//!
//! Each thread takes some of the batch's sequences through all of time. Sequences do not depend on each
//! other, so there is no barrier per step. W is packed once per call. The input projection runs a few steps
//! ahead of the recurrence, so that U and W alternate in the cache. The cost is O(T).

mod backward;
mod division;
mod extras;
mod forward;
mod input;
mod lockstep;
mod sequences;

use std::ops::Range;

pub use backward::{Back, backward};
pub use extras::{Extras, Zoneout};
pub use forward::forward;
pub use input::Input;
pub(super) use input::Projection;
pub use sequences::Sequences;

use crate::error::Result;
use crate::kernels::{Lines, Packed, Real, Start};
use crate::layers::cell::{Cell, Layout, State};
use crate::layers::linear::{self, Columns};
use crate::parallel;

/// Maximum number of steps projected at a time, and the number of pre-activations that stay
/// in a core's cache.
const AHEAD: usize = 32;
const AHEAD_NUMBERS: usize = 1 << 17;

/// Minimum size in bytes of an array for prefetching a step's data some steps ahead, since a core's cache
/// does not hold it; and the maximum size of W for which that pays off: a larger W needs the cache and the
/// time for itself.
const FAR: usize = 1 << 22;
const FAR_WEIGHTS: usize = 1 << 18;

/// Maximum number of elements of W, or of U, for which each thread packs its own copy: that is faster than
/// fetching what another core has packed.
const APART: usize = 1 << 15;

/// Maximum number of bytes of W that stay in a core's own cache.
const CACHE: usize = 1 << 21;

/// The part of a recurrent layer's parameters that the pass through time needs.
#[derive(Clone, Copy)]
pub struct Recurrent<'a, R> {
    /// The cell
    pub cell: Cell,
    /// H
    pub hidden: usize,
    /// W (recurrent·H, H), row-major
    pub w: &'a [R],
    /// Dropout, zoneout, normalization
    pub extras: Extras<'a, R>,
}

/// The states of all steps, and the further values that the backward pass needs.
pub struct Trace<R> {
    /// h (rows, H)
    pub h: Vec<R>,
    /// c (rows, H), for cells that have one
    pub c: Vec<R>,
    /// The values that each step kept (rows, sums·H), for cells with more than one block of pre-activations;
    /// empty if not requested
    pub kept: Vec<R>,
    /// The state after each sequence's last step (B, states·H): h, then c
    pub last: Vec<R>,
    /// x̂ (rows, sums·H) and scales (rows, sums) of a normalization; empty without one, or if not requested
    pub normed: [Vec<R>; 2],
}

/// A borrowed [`Trace`], with the initial state if one was given.
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
    /// x̂ and the scales of a normalization, or empty
    pub normed: [&'a [R]; 2],
}

impl<R: Real> Recurrent<'_, R> {
    fn layout(&self) -> Layout {
        self.cell.layout()
    }

    /// Returns the number of elements in a row of pre-activations.
    fn width(&self) -> usize {
        self.layout().sums * self.hidden
    }

    /// Returns the size of W in bytes.
    fn weights(&self) -> usize {
        self.layout().recurrent * self.hidden * self.hidden * size_of::<R>()
    }

    /// Returns whether a step's data is to be prefetched.
    fn is_far(&self, sequences: &Sequences) -> bool {
        sequences.rows() * self.width() * size_of::<R>() >= FAR && self.weights() <= FAR_WEIGHTS
    }

    /// Divides the sequences into groups for the threads. The groups are small only if each can read
    /// W from the cache.
    fn groups(&self, sequences: &Sequences) -> Result<Vec<Range<usize>>> {
        sequences.groups(self.least_rows(), self.weights() <= CACHE)
    }

    /// Returns the minimum number of rows per thread.
    fn least_rows(&self) -> usize {
        linear::least_rows(2 * self.hidden * self.hidden * self.layout().recurrent)
    }

    /// Packs Wᵀ for the product with h_{t−1}.
    fn pack(&self, op: &'static str) -> Result<Packed<R>> {
        Packed::transposed(op, self.w, self.layout().recurrent * self.hidden, self.hidden)
    }
}

/// The initial states of some sequences, h and c separately.
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

/// Adds dW (recurrent·H, H) = Σ da_t h_{t−1}ᵀ, given da (rows, sums·H), as one product over all rows; `mask`
/// as in [`Extras`].
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn recurrent_gradient<R: Real>(
    op: &'static str,
    (cell, hidden): (Cell, usize),
    sequences: &Sequences,
    da: &[R],
    (first, h, mask): (Option<&[R]>, &[R], Option<&[R]>),
    dw: &mut [R],
) -> Result<()> {
    let layout = cell.layout();
    let (width, states, begun) = (layout.sums * hidden, layout.states() * hidden, sequences.count(0));
    if sequences.rows() == 0 {
        return Ok(());
    }
    let columns =
        |data| Columns { data, width, runs: std::iter::once(0..layout.recurrent * hidden).collect() };
    let (da_first, da_rest) = da.split_at(begun * width);
    if let Some(first) = first {
        let mut h0: Vec<R> =
            first.chunks_exact(states).take(begun).flat_map(|s| &s[..hidden]).copied().collect();
        masked(&mut h0, mask);
        linear::accumulate_weights(op, &columns(da_first), Lines::all(&h0, hidden), dw)?;
    }
    // The states before the steps, without those that no step follows.
    if mask.is_none() {
        let rows = (1..sequences.steps())
            .flat_map(|t| sequences.start(t - 1)..sequences.start(t - 1) + sequences.count(t));
        let order: Option<Vec<usize>> = if sequences.is_even() { None } else { Some(rows.collect()) };
        let before = Lines::ordered(h, hidden, order.as_deref());
        let before = before.part(0..sequences.rows() - begun);
        return linear::accumulate_weights(op, &columns(da_rest), before, dw);
    }
    let mut before = parallel::scratch(op, &[sequences.rows() - begun, hidden])?;
    let steps: Vec<_> = (1..sequences.steps()).map(|t| 0..sequences.count(t)).collect();
    let parts = parallel::split_rows(&mut before, &steps, hidden).into_iter().enumerate().collect();
    parallel::for_each(parallel::batches(parts, |(_, rows)| rows.len())?, |steps, _| {
        for (t, rows) in steps {
            rows.copy_from_slice(&h[sequences.start(t) * hidden..][..rows.len()]);
            masked(rows, mask);
        }
        Ok(())
    })?;
    linear::accumulate_weights(op, &columns(da_rest), Lines::all(&before, hidden), dw)
}

fn masked<R: Real>(h: &mut [R], mask: Option<&[R]>) {
    if let Some(mask) = mask {
        h.iter_mut().zip(mask).for_each(|(h, &m)| *h *= m);
    }
}

/// Adds dU = Σ da_t x_tᵀ, given da (rows, sums·H) and x (rows, I), and, if `db` is given, db
/// (sums·H) = Σ da_t. Returns dx (rows, I) if `need_dx`.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn input_gradients<R: Real>(
    op: &'static str,
    (cell, hidden): (Cell, usize),
    da: &[R],
    (x, u): (Lines<'_, R>, &[R]),
    (du, db): (&mut [R], Option<&mut [R]>),
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    let layout = cell.layout();
    let width = layout.sums * hidden;
    let (rows, inputs) = (da.len() / width.max(1), x.width());
    if let Some(db) = db {
        linear::accumulate_bias(da, width, db)?;
    }
    let mut dx = if need_dx { Some(parallel::scratch(op, &[rows, inputs])?) } else { None };
    let runs: Vec<_> = layout.inputs.iter().map(|&(first, n)| first * hidden..(first + n) * hidden).collect();
    let columns = Columns { data: da, width, runs: runs.clone() };
    linear::accumulate_weights(op, &columns, x, du)?;
    if let Some(dx) = &mut dx {
        let (mut u, mut start) = (u, Start::Zero);
        for run in runs {
            let (rows_of_u, rest) = u.split_at(run.len() * inputs);
            let packed = Packed::of(op, rows_of_u, run.len(), inputs)?;
            linear::product(&Columns { data: da, width, runs: vec![run] }, rows, &packed, start, dx)?;
            (u, start) = (rest, Start::Accumulate);
        }
    }
    Ok(dx)
}
