//! The recurrence driver: a whole sequence forward, and back through time.
//!
//! Forward, for t = 1..T:   a_t = b + U x_t + W h_{t-1},   h_t = f(a_t).
//! BPTT, for t = T..1:      dh_t = dy_t + Wᵀ da_{t+1},     da_t = dh_t ⊙ f′(a_t);
//! then, over all steps at once: dU = Σ da_t x_tᵀ, dW = Σ da_t h_{t-1}ᵀ, db = Σ da_t, dx_t = Uᵀ da_t.
//!
//! Each thread takes some of the batch's sequences and walks through all of time with them: sequences do not
//! wait for each other, so there is no barrier per step. W is packed once per call. The input projection runs
//! 32 steps ahead of the recurrence, so that U and W take turns in the cache. Everything is O(T).

use std::ops::Range;

use crate::error::{Result, check_shape};
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::layers::{linear, lockstep};
use crate::parallel::{self, Stop};

/// Steps whose input projection is done in one go.
const AHEAD: usize = 32;

/// What is a cell's own: its elementwise step, and that step's derivative.
pub trait Cell<R: Real>: Sync {
    /// h ← f(a), in place.
    fn step(&self, a: &mut [R]);
    /// da ← dh ⊙ f′(a), in place, given h = f(a).
    fn derivative(&self, h: &[R], dh: &mut [R]);
}

/// T, B, I, H.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Time steps.
    pub steps: usize,
    /// Sequences in the batch.
    pub batch: usize,
    /// Input size.
    pub inputs: usize,
    /// Hidden size.
    pub hidden: usize,
}

/// The parameters of a recurrent layer, row-major.
#[derive(Clone, Copy)]
pub struct Weights<'a, R> {
    /// U (H, I)
    pub u: &'a [R],
    /// W (H, H)
    pub w: &'a [R],
    /// b (H)
    pub b: &'a [R],
}

/// Where the gradients of [`Weights`] are added.
pub struct WeightGradients<'a, R> {
    /// dU (H, I)
    pub u: &'a mut [R],
    /// dW (H, H)
    pub w: &'a mut [R],
    /// db (H)
    pub b: &'a mut [R],
}

impl Sizes {
    /// The sizes of x (T, B, I) and U (H, I), with W, b and h0 checked against them.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming the array that does not fit.
    pub fn of(
        op: &'static str,
        x: &[usize],
        h0: Option<&[usize]>,
        (u, w, b): (&[usize], &[usize], &[usize]),
    ) -> Result<Sizes> {
        check_shape(op, "U", u, &[("H", None), ("I", None)])?;
        let (hidden, inputs) = (u[0], u[1]);
        check_shape(op, "W", w, &[("H", Some(hidden)), ("H", Some(hidden))])?;
        check_shape(op, "b", b, &[("H", Some(hidden))])?;
        check_shape(op, "x", x, &[("T", None), ("B", None), ("I", Some(inputs))])?;
        let sizes = Sizes { steps: x[0], batch: x[1], inputs, hidden };
        if let Some(h0) = h0 {
            sizes.check_state(op, "h0", h0)?;
        }
        Ok(sizes)
    }

    /// Checks an array of (B, H).
    ///
    /// # Errors
    /// [`crate::Error::Shape`].
    pub fn check_state(&self, op: &'static str, argument: &'static str, shape: &[usize]) -> Result<()> {
        check_shape(op, argument, shape, &[("B", Some(self.batch)), ("H", Some(self.hidden))])
    }

    /// Checks an array of (T, B, H).
    ///
    /// # Errors
    /// [`crate::Error::Shape`].
    pub fn check_states(&self, op: &'static str, argument: &'static str, shape: &[usize]) -> Result<()> {
        let expected = [("T", Some(self.steps)), ("B", Some(self.batch)), ("H", Some(self.hidden))];
        check_shape(op, argument, shape, &expected)
    }

    /// The batch's sequences, divided over the threads where the work is worth it.
    fn shards(&self) -> Result<Vec<std::ops::Range<usize>>> {
        parallel::ranges(self.batch, linear::least_rows(2 * self.hidden * self.hidden * self.steps))
    }
}

/// Some of the batch's sequences, and their rows of a (T, B, H) array: one slice a step.
struct Shard<'a, R> {
    rows: std::ops::Range<usize>,
    steps: Vec<&'a mut [R]>,
    /// Their rows of a (B, H) array.
    state: &'a mut [R],
}

impl<R> Shard<'_, R> {
    fn count(&self) -> usize {
        self.rows.len()
    }
}

/// Divides a (T, B, H) array and a (B, H) array by sequences.
fn shard<'a, R: Real>(
    sizes: Sizes,
    states: &'a mut [R],
    state: &'a mut [R],
    ranges: &[std::ops::Range<usize>],
) -> Vec<Shard<'a, R>> {
    let width = sizes.hidden;
    let state = parallel::split_rows(state, ranges, width);
    let mut shards: Vec<_> = ranges
        .iter()
        .zip(state)
        .map(|(rows, state)| Shard { rows: rows.clone(), steps: Vec::with_capacity(sizes.steps), state })
        .collect();
    for step in states.chunks_exact_mut((sizes.batch * width).max(1)) {
        for (shard, rows) in shards.iter_mut().zip(parallel::split_rows(step, ranges, width)) {
            shard.steps.push(rows);
        }
    }
    shards
}

/// U and W of a forward pass, packed at the same time.
fn pack_both<R: Real>(
    op: &'static str,
    (u, inputs): (&[R], usize),
    (w, hidden): (&[R], usize),
    outputs: usize,
) -> Result<(Packed<R>, Packed<R>)> {
    let (mut packed_u, mut packed_w) = (None, None);
    let parts = vec![(&mut packed_u, u, inputs), (&mut packed_w, w, hidden)];
    parallel::for_each(parts, |(packed, matrix, depth), _| {
        *packed = Some(Packed::transposed(op, matrix, outputs, depth)?);
        Ok(())
    })?;
    match (packed_u, packed_w) {
        (Some(u), Some(w)) => Ok((u, w)),
        _ => unreachable!("each part was done, or an error returned"),
    }
}

/// h (T, B, H) of x (T, B, I), from h0 (B, H) or zero.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(
    cell: &impl Cell<R>,
    sizes: Sizes,
    weights: Weights<'_, R>,
    x: &[R],
    h0: Option<&[R]>,
) -> Result<Vec<R>> {
    const OP: &str = "RNN.forward";
    let Sizes { steps, batch, inputs, hidden } = sizes;
    let mut h = parallel::scratch(OP, &[steps, batch, hidden])?;
    if let Some(team) = lockstep::team(batch, hidden)? {
        let way = lockstep::Way { steps, batch, hidden, initial: h0, reversed: false };
        way.walk(&team, &mut h, &mut [], |units| {
            let (from, n) = (units.start, units.len());
            let w = Packed::transposed(OP, &weights.w[from * hidden..], n, hidden)?;
            let u = Packed::transposed(OP, &weights.u[from * inputs..], n, inputs)?;
            let ahead = parallel::scratch(OP, &[AHEAD.min(steps), batch, n])?;
            Ok((w, Units { cell, sizes, u, b: &weights.b[units], x, ahead }))
        })?;
        return Ok(h);
    }
    let (u, w) = pack_both(OP, (weights.u, inputs), (weights.w, hidden), hidden)?;
    let mut unused = parallel::scratch(OP, &[batch, hidden])?;
    let shards = shard(sizes, &mut h, &mut unused, &sizes.shards()?);
    parallel::for_each(shards, |mut shard, stop: &Stop| {
        let count = shard.count();
        let (rows, initial) = (shard.rows.start, h0.map(|h0| &h0[shard.rows.start * hidden..]));
        for t in 0..steps {
            if t % AHEAD == 0 {
                for (ahead, a) in shard.steps[t..].iter_mut().take(AHEAD).enumerate() {
                    let x = Rows { data: &x[((t + ahead) * batch + rows) * inputs..], stride: inputs, count };
                    u.multiply(x, Start::Row(weights.b), RowsMut { data: a, stride: hidden });
                }
            }
            let (before, from_now) = shard.steps.split_at_mut(t);
            let previous = before.last().map(|h| &**h).or(initial);
            let a = &mut *from_now[0];
            if let Some(data) = previous {
                let previous = Rows { data, stride: hidden, count };
                w.multiply(previous, Start::Accumulate, RowsMut { data: a, stride: hidden });
            }
            cell.step(a);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok(h)
}

/// Some of the units on the way forward, where the threads share each step.
struct Units<'a, R: Real, C> {
    cell: &'a C,
    sizes: Sizes,
    /// Their rows of U.
    u: Packed<R>,
    b: &'a [R],
    x: &'a [R],
    /// b + U x of some steps ahead.
    ahead: Vec<R>,
}

impl<R: Real, C: Cell<R>> lockstep::Part<R> for Units<'_, R, C> {
    fn begin(&mut self, t: usize, rows: &mut [R]) {
        let Sizes { steps, batch, inputs, .. } = self.sizes;
        if t.is_multiple_of(AHEAD) {
            let count = AHEAD.min(steps - t) * batch;
            let x = Rows { data: &self.x[t * batch * inputs..], stride: inputs, count };
            let a = RowsMut { data: &mut self.ahead, stride: self.b.len() };
            self.u.multiply(x, Start::Row(self.b), a);
        }
        rows.copy_from_slice(&self.ahead[t % AHEAD * rows.len()..][..rows.len()]);
    }

    fn finish(&mut self, _: usize, rows: &mut [R]) {
        self.cell.step(rows);
    }
}

/// Some of the units on the way back.
struct UnitsBack<'a, R, C> {
    cell: &'a C,
    sizes: Sizes,
    units: Range<usize>,
    h: &'a [R],
    dy: &'a [R],
}

impl<R: Real, C: Cell<R>> lockstep::Part<R> for UnitsBack<'_, R, C> {
    fn begin(&mut self, t: usize, rows: &mut [R]) {
        let Sizes { batch, hidden, .. } = self.sizes;
        let dy = self.dy[t * batch * hidden..].chunks_exact(hidden);
        for (row, dy) in rows.chunks_exact_mut(self.units.len()).zip(dy) {
            row.copy_from_slice(&dy[self.units.clone()]);
        }
    }

    fn finish(&mut self, t: usize, rows: &mut [R]) {
        let Sizes { batch, hidden, .. } = self.sizes;
        let h = self.h[t * batch * hidden..].chunks_exact(hidden);
        for (row, h) in rows.chunks_exact_mut(self.units.len()).zip(h) {
            self.cell.derivative(&h[self.units.clone()], row);
        }
    }
}

/// Back through time: (da (T, B, H), dh0 (B, H)) from dy (T, B, H), what the layers above say of h.
///
/// dh0 is what h0 would receive, given or zero: Wᵀ da_1.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    cell: &impl Cell<R>,
    sizes: Sizes,
    w: &[R],
    h: &[R],
    dy: &[R],
) -> Result<(Vec<R>, Vec<R>)> {
    const OP: &str = "RNN.backward";
    let Sizes { steps, batch, hidden, .. } = sizes;
    let mut da = parallel::scratch(OP, &[steps, batch, hidden])?;
    let mut dh0 = parallel::scratch(OP, &[batch, hidden])?;
    if let Some(team) = lockstep::team(batch, hidden)? {
        let way = lockstep::Way { steps, batch, hidden, initial: None, reversed: true };
        way.walk(&team, &mut da, &mut dh0, |units| {
            let columns = Packed::new(OP, &w[units.start..], (hidden, hidden), (units.len(), 1))?;
            Ok((columns, UnitsBack { cell, sizes, units, h, dy }))
        })?;
        return Ok((da, dh0));
    }
    let w = Packed::of(OP, w, hidden, hidden)?;
    let shards = shard(sizes, &mut da, &mut dh0, &sizes.shards()?);
    parallel::for_each(shards, |mut shard, stop: &Stop| {
        let count = shard.count();
        for t in (0..steps).rev() {
            let at = (t * batch + shard.rows.start) * hidden;
            let (until_now, after) = shard.steps.split_at_mut(t + 1);
            let dh = &mut *until_now[t];
            match after.first() {
                None => dh.copy_from_slice(&dy[at..at + dh.len()]),
                Some(da_next) => {
                    let local = Rows { data: &dy[at..], stride: hidden, count };
                    let da_next = Rows { data: da_next, stride: hidden, count };
                    w.multiply(da_next, Start::Rows(local), RowsMut { data: dh, stride: hidden });
                }
            }
            cell.derivative(&h[at..at + dh.len()], dh);
            if stop.requested() {
                return Ok(());
            }
        }
        match shard.steps.first() {
            Some(da_first) => {
                let da_first = Rows { data: da_first, stride: hidden, count };
                w.multiply(da_first, Start::Zero, RowsMut { data: shard.state, stride: hidden });
            }
            None => shard.state.fill(R::zero()),
        }
        Ok(())
    })?;
    Ok((da, dh0))
}

/// Adds dU, dW and db of da (T, B, H), each as one product over all T·B rows; gives dx (T, B, I) where it is wanted.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn gradients<R: Real>(
    sizes: Sizes,
    da: &[R],
    (x, h0, h): (&[R], Option<&[R]>, &[R]),
    u: &[R],
    into: WeightGradients<'_, R>,
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    const OP: &str = "RNN.backward";
    let Sizes { steps, batch, inputs, hidden } = sizes;
    let state = batch * hidden;
    linear::accumulate_weights(OP, (da, hidden), (x, inputs), into.u)?;
    if steps > 0 {
        if let Some(h0) = h0 {
            linear::accumulate_weights(OP, (&da[..state], hidden), (h0, hidden), into.w)?;
        }
        let last = (steps - 1) * state;
        linear::accumulate_weights(OP, (&da[state..], hidden), (&h[..last], hidden), into.w)?;
    }
    linear::accumulate_bias(da, hidden, into.b)?;
    if !need_dx {
        return Ok(None);
    }
    let mut dx = parallel::scratch(OP, &[steps, batch, inputs])?;
    let u = Packed::of(OP, u, hidden, inputs)?;
    linear::product(da, steps * batch, &u, Start::Zero, &mut dx)?;
    Ok(Some(dx))
}
