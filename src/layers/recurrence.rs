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
use crate::layers::embedding::check_ids;
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

/// Where the sums begin: what comes in, before W's part.
enum Source<'a, R: Real> {
    /// b + U x, for some or all of the units.
    Projection { u: Packed<R>, b: &'a [R], x: &'a [R] },
    /// Rows of a table (V, H), for some or all of the units: b + U E\[id\], computed once for each token.
    Table { table: &'a [R], ids: &'a [i64], hidden: usize, units: Range<usize> },
}

impl<R: Real> Source<'_, R> {
    /// The sums of `count` rows of (T·B, units) from `first` on.
    fn fill(&self, first: usize, count: usize, a: &mut [R]) {
        match self {
            Source::Projection { u, b, x } => {
                let x = Rows { data: &x[first * u.depth()..], stride: u.depth(), count };
                u.multiply(x, Start::Row(b), RowsMut { data: a, stride: b.len() });
            }
            Source::Table { table, ids, hidden, units } => {
                for (a, &id) in a.chunks_exact_mut(units.len()).zip(&ids[first..first + count]) {
                    a.copy_from_slice(&table[id as usize * hidden..][..*hidden][units.clone()]);
                }
            }
        }
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
    let inputs = sizes.inputs;
    walk(cell, sizes, weights.w, h0, |units| {
        let u = &weights.u[units.start * inputs..];
        let u = Packed::transposed(FORWARD, u, units.len(), inputs)?;
        Ok(Source::Projection { u, b: &weights.b[units], x })
    })
}

/// h (T, B, H) of ids (T, B), whose inputs are rows of `table` (V, H) = b + U E: the same bits as from x = E\[id\], in
/// V products where there are T·B positions.
///
/// # Errors
/// [`crate::Error::TokenId`]; [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward_rows<R: Real>(
    cell: &impl Cell<R>,
    sizes: Sizes,
    w: &[R],
    (ids, table): (&[i64], &[R]),
    h0: Option<&[R]>,
) -> Result<Vec<R>> {
    let hidden = sizes.hidden;
    check_ids(FORWARD, "ids", ids, table.len() / hidden.max(1))?;
    walk(cell, sizes, w, h0, |units| Ok(Source::Table { table, ids, hidden, units }))
}

const FORWARD: &str = "RNN.forward";

/// The way forward through time; `source` says where the sums of some units begin.
fn walk<'a, R: Real>(
    cell: &impl Cell<R>,
    sizes: Sizes,
    w: &[R],
    h0: Option<&[R]>,
    source: impl Fn(Range<usize>) -> Result<Source<'a, R>> + Sync,
) -> Result<Vec<R>> {
    const OP: &str = FORWARD;
    let Sizes { steps, batch, hidden, .. } = sizes;
    let mut h = parallel::scratch(OP, &[steps, batch, hidden])?;
    if let Some(team) = lockstep::team(batch, hidden)? {
        let way = lockstep::Way { steps, batch, hidden, initial: h0, reversed: false };
        way.walk(&team, &mut h, &mut [], |units| {
            let n = units.len();
            let w = Packed::transposed(OP, &w[units.start * hidden..], n, hidden)?;
            let ahead = parallel::scratch(OP, &[AHEAD.min(steps), batch, n])?;
            Ok((w, Units { cell, steps, batch, source: source(units)?, ahead }))
        })?;
        return Ok(h);
    }
    // U and W are packed at the same time.
    let (mut packed, mut filled) = (None, None);
    let tasks: Vec<Task<'_>> = vec![
        Box::new(|| {
            packed = Some(Packed::transposed(OP, w, hidden, hidden)?);
            Ok(())
        }),
        Box::new(|| {
            filled = Some(source(0..hidden)?);
            Ok(())
        }),
    ];
    parallel::for_each(tasks, |task, _| task())?;
    let (Some(w), Some(source)) = (packed, filled) else { unreachable!("both tasks were done") };
    let mut unused = parallel::scratch(OP, &[batch, hidden])?;
    let shards = shard(sizes, &mut h, &mut unused, &sizes.shards()?);
    parallel::for_each(shards, |mut shard, stop| {
        let count = shard.count();
        let (first, initial) = (shard.rows.start, h0.map(|h0| &h0[shard.rows.start * hidden..]));
        for t in 0..steps {
            if t % AHEAD == 0 {
                for (ahead, a) in shard.steps[t..].iter_mut().take(AHEAD).enumerate() {
                    source.fill((t + ahead) * batch + first, count, a);
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

type Task<'a> = Box<dyn FnOnce() -> Result<()> + Send + 'a>;

/// Some of the units on the way forward, where the threads share each step.
struct Units<'a, R: Real, C> {
    cell: &'a C,
    steps: usize,
    batch: usize,
    source: Source<'a, R>,
    /// The sums of some steps ahead.
    ahead: Vec<R>,
}

impl<R: Real, C: Cell<R>> lockstep::Part<R> for Units<'_, R, C> {
    fn begin(&mut self, t: usize, rows: &mut [R]) {
        if t.is_multiple_of(AHEAD) {
            let count = AHEAD.min(self.steps - t) * self.batch;
            self.source.fill(t * self.batch, count, &mut self.ahead);
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
    const OP: &str = BACKWARD;
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

/// Adds dW = Σ da_t h_{t−1}ᵀ of da (T, B, H), as one product over all T·B rows.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn recurrent_gradient<R: Real>(
    sizes: Sizes,
    da: &[R],
    (h0, h): (Option<&[R]>, &[R]),
    dw: &mut [R],
) -> Result<()> {
    let Sizes { steps, batch, hidden, .. } = sizes;
    let state = batch * hidden;
    if steps == 0 {
        return Ok(());
    }
    if let Some(h0) = h0 {
        linear::accumulate_weights(BACKWARD, (&da[..state], hidden), (h0, hidden), dw)?;
    }
    let last = (steps - 1) * state;
    linear::accumulate_weights(BACKWARD, (&da[state..], hidden), (&h[..last], hidden), dw)
}

const BACKWARD: &str = "RNN.backward";

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
    let Sizes { steps, batch, inputs, hidden } = sizes;
    linear::accumulate_weights(BACKWARD, (da, hidden), (x, inputs), into.u)?;
    recurrent_gradient(sizes, da, (h0, h), into.w)?;
    linear::accumulate_bias(da, hidden, into.b)?;
    if !need_dx {
        return Ok(None);
    }
    let mut dx = parallel::scratch(BACKWARD, &[steps, batch, inputs])?;
    let u = Packed::of(BACKWARD, u, hidden, inputs)?;
    linear::product(da, steps * batch, &u, Start::Zero, &mut dx)?;
    Ok(Some(dx))
}
