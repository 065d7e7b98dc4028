//! Pooling: one vector y (B, H) per sequence, from its states h (T, B, H).
//!
//! The mean and attention share one formula, y_b = Σ_t α_tb h_tb with α = softmax(e) over a sequence's own
//! steps: equal scores e give the mean. States after a sequence's end are never read.

use crate::error::Result;
use crate::kernels::{self, Real};
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 15;

/// Partial sums of a dot product: enough for the widest vectors.
const LANES: usize = 16;

/// The sizes and lengths of a batch of sequences.
#[derive(Debug, Clone, Copy)]
pub struct Sequences<'a> {
    /// T
    pub steps: usize,
    /// H
    pub width: usize,
    /// Number of steps of each of the B sequences, at most T
    pub lengths: &'a [usize],
}

impl Sequences<'_> {
    fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Returns the range of state h_tb.
    fn at(&self, t: usize, b: usize) -> std::ops::Range<usize> {
        let begin = (t * self.batch() + b) * self.width;
        begin..begin + self.width
    }
}

/// Computes y (B, H) = Σ_t α_tb h_tb, and α (T, B), which is the softmax over each sequence's steps of the
/// scores e (T, B), or 1 / length without scores. A sequence without steps has y = 0.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn weighted<R: Real>(of: Sequences<'_>, h: &[R], e: Option<&[R]>) -> Result<(Vec<R>, Vec<R>)> {
    const OP: &str = "Pooling.forward";
    let alpha = shares(OP, of, e)?;
    let mut y = parallel::zeros(OP, &[of.batch(), of.width])?;
    by_sequence(of, &mut y, |b, y| {
        for t in 0..of.lengths[b] {
            let share = alpha[t * of.batch() + b];
            y.iter_mut().zip(&h[of.at(t, b)]).for_each(|(y, &h)| *y += share * h);
        }
    })?;
    Ok((y, alpha))
}

/// Computes α (T, B); zero after a sequence's end.
fn shares<R: Real>(op: &'static str, of: Sequences<'_>, e: Option<&[R]>) -> Result<Vec<R>> {
    let batch = of.batch();
    let mut alpha = parallel::zeros::<R>(op, &[of.steps, batch])?;
    let mut own = Vec::with_capacity(of.steps);
    for (b, &length) in of.lengths.iter().enumerate() {
        let places = || (0..length).map(|t| t * batch + b);
        let Some(e) = e else {
            let share = R::of(1.0 / length.max(1) as f64);
            places().for_each(|i| alpha[i] = share);
            continue;
        };
        own.clear();
        own.extend(places().map(|i| e[i]));
        // The sum of `exponentials` depends on the width of the vectors; this one does not.
        kernels::exponentials(&mut own);
        let sum = own.iter().fold(R::zero(), |sum, &e| sum + e);
        places().zip(&own).for_each(|(i, &e)| alpha[i] = e / sum);
    }
    Ok(alpha)
}

/// Computes the gradients from dy (B, H): dh_tb = α_tb dy_b (T, B, H) and, if `need_de`, de (T, B) = α_tb
/// (dα_tb − Σ_s α_sb dα_sb) with dα_tb = dy_b · h_tb.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn weighted_backward<R: Real>(
    of: Sequences<'_>,
    h: &[R],
    alpha: &[R],
    dy: &[R],
    need_de: bool,
) -> Result<(Vec<R>, Option<Vec<R>>)> {
    const OP: &str = "Pooling.backward";
    let batch = of.batch();
    let mut dh = parallel::zeros(OP, &[of.steps, batch, of.width])?;
    by_state(of, &mut dh, |t, b, dh| {
        let (share, dy) = (alpha[t * batch + b], &dy[b * of.width..]);
        dh.iter_mut().zip(dy).for_each(|(dh, &dy)| *dh = share * dy);
    })?;
    if !need_de {
        return Ok((dh, None));
    }
    let mut de = parallel::zeros::<R>(OP, &[of.steps, batch])?;
    let rows = Sequences { width: 1, ..of };
    by_state(rows, &mut de, |t, b, de| de[0] = dot(&dy[b * of.width..][..of.width], &h[of.at(t, b)]))?;
    for (b, &length) in of.lengths.iter().enumerate() {
        let places = || (0..length).map(|t| t * batch + b);
        let mean = places().fold(R::zero(), |sum, i| sum + alpha[i] * de[i]);
        places().for_each(|i| de[i] = alpha[i] * (de[i] - mean));
    }
    Ok((dh, Some(de)))
}

/// Computes a · b, in an order that depends only on their length.
pub(super) fn dot<R: Real>(a: &[R], b: &[R]) -> R {
    let mut sums = [R::zero(); LANES];
    for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
        a.iter().zip(b).zip(&mut sums).for_each(|((&a, &b), sum)| *sum += a * b);
    }
    sums.into_iter().fold(R::zero(), |total, sum| total + sum)
}

/// Computes y_bi = max_t h_tbi (B, H), and the step of each maximum (the first of equal ones). A sequence
/// without steps has y = 0 and step −1. NaN counts as the largest value.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn largest<R: Real>(of: Sequences<'_>, h: &[R]) -> Result<(Vec<R>, Vec<i64>)> {
    let mut y = parallel::zeros::<R>("Pooling.forward", &[of.batch(), of.width])?;
    let mut at = vec![-1; of.batch() * of.width];
    let (width, ranges) = (of.width.max(1), parts(of)?);
    let tasks = parallel::split_rows(&mut y, &ranges, of.width)
        .into_iter()
        .zip(parallel::split_rows(&mut at, &ranges, of.width))
        .zip(&ranges)
        .collect();
    parallel::for_each(tasks, |((y, at), range), _| {
        for ((b, y), at) in range.clone().zip(y.chunks_mut(width)).zip(at.chunks_mut(width)) {
            for t in 0..of.lengths[b] {
                for ((y, at), &h) in y.iter_mut().zip(at.iter_mut()).zip(&h[of.at(t, b)]) {
                    if *at < 0 || h > *y || (h.is_nan() && !y.is_nan()) {
                        (*y, *at) = (h, t as i64);
                    }
                }
            }
        }
        Ok(())
    })?;
    Ok((y, at))
}

/// Computes dh (T, B, H): dy at the step of the maximum, 0 elsewhere.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn largest_backward<R: Real>(of: Sequences<'_>, at: &[i64], dy: &[R]) -> Result<Vec<R>> {
    let mut dh = parallel::zeros("Pooling.backward", &[of.steps, of.batch(), of.width])?;
    by_state(of, &mut dh, |t, b, dh| {
        let begin = b * of.width;
        for (dh, (&at, &dy)) in dh.iter_mut().zip(at[begin..].iter().zip(&dy[begin..])) {
            if at == t as i64 {
                *dh = dy;
            }
        }
    })?;
    Ok(dh)
}

/// Divides the sequences among the threads.
fn parts(of: Sequences<'_>) -> Result<Vec<std::ops::Range<usize>>> {
    parallel::ranges(of.batch(), GRAIN / (of.steps * of.width).max(1) + 1)
}

/// Calls f(b, row b) for the rows of y (B, H), with the sequences divided among the threads.
fn by_sequence<R: Real>(of: Sequences<'_>, y: &mut [R], f: impl Fn(usize, &mut [R]) + Sync) -> Result<()> {
    let ranges = parts(of)?;
    let tasks = parallel::split_rows(y, &ranges, of.width).into_iter().zip(&ranges).collect();
    parallel::for_each(tasks, |(y, range): (&mut [R], _), _| {
        range.clone().zip(y.chunks_mut(of.width.max(1))).for_each(|(b, y)| f(b, y));
        Ok(())
    })
}

/// Calls f(t, b, elements of that state) for the steps within each sequence, with the steps divided
/// among the threads.
fn by_state<R: Real>(
    of: Sequences<'_>,
    rows: &mut [R],
    f: impl Fn(usize, usize, &mut [R]) + Sync,
) -> Result<()> {
    let step = of.batch() * of.width;
    let ranges = parallel::ranges(of.steps, GRAIN / step.max(1) + 1)?;
    let tasks = parallel::split_rows(rows, &ranges, step).into_iter().zip(&ranges).collect();
    parallel::for_each(tasks, |(rows, range): (&mut [R], _), _| {
        for (t, rows) in range.clone().zip(rows.chunks_mut(step.max(1))) {
            for (b, row) in rows.chunks_mut(of.width.max(1)).enumerate() {
                if t < of.lengths[b] {
                    f(t, b, row);
                }
            }
        }
        Ok(())
    })
}
