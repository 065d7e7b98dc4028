//! Batch normalization: y = f(γ ⊙ (x − μ) / √(σ² + ε) + β) for the rows of x (n, C). Mean and variance are
//! those of each column over the rows (Ioffe and Szegedy 2015), or given ones.
//!
//! Sums over rows run within chunks that depend on n alone, then over the chunks in order, in f64. They are
//! therefore accurate for any number of rows and identical for any number of threads.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::{Activation, Real, activate, differentiate};
use crate::parallel;

/// Rows per chunk.
const CHUNK: usize = 128;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 15;

/// The mean and the (biased) variance of each column.
#[derive(Debug, Clone, PartialEq)]
pub struct Statistics<R> {
    /// μ (C)
    pub mean: Vec<R>,
    /// σ² (C)
    pub variance: Vec<R>,
}

/// The layer's parameters.
#[derive(Clone, Copy)]
pub struct BatchNorm<'a, R> {
    /// γ (C)
    pub gamma: &'a [R],
    /// β (C)
    pub beta: &'a [R],
    /// ε
    pub epsilon: f64,
    /// f
    pub activation: Activation,
}

/// Computes the mean and variance of the columns of x (n, C); zeros for n = 0.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn statistics<R: Real>(x: &[R], columns: usize) -> Result<Statistics<R>> {
    let rows = x.len() / columns.max(1);
    // For each chunk its mean, then the sum of squares around that mean (Chan, Golub and LeVeque 1983).
    let partial = by_chunks("BatchNorm.forward", rows, columns, |rows, sums| {
        let (count, (mean, squares)) = (rows.len() as f64, sums.split_at_mut(columns));
        let x = &x[rows.start * columns..rows.end * columns];
        let mut total = vec![R::zero(); columns];
        for row in x.chunks_exact(columns) {
            total.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
        }
        let center: Vec<R> = total.iter().map(|sum| R::of(sum.wide() / count)).collect();
        total.fill(R::zero());
        let mut off = vec![R::zero(); columns];
        for row in x.chunks_exact(columns) {
            for (((sum, off), &x), &center) in total.iter_mut().zip(&mut off).zip(row).zip(&center) {
                *sum += (x - center) * (x - center);
                *off += x - center;
            }
        }
        // Corrects for the rounding of the center, which is not exactly the mean.
        for (i, (mean, squares)) in mean.iter_mut().zip(squares).enumerate() {
            let off = off[i].wide() / count;
            *mean = center[i].wide() + off;
            *squares = total[i].wide() - count * off * off;
        }
    })?;
    let (mut mean, mut squares, mut seen) = (vec![0.0; columns], vec![0.0; columns], 0.0);
    for (i, chunk) in partial.chunks_exact((2 * columns).max(1)).enumerate() {
        let count = (rows - i * CHUNK).min(CHUNK) as f64;
        let share = count / (seen + count);
        for c in 0..columns {
            let step: f64 = chunk[c] - mean[c];
            squares[c] += chunk[columns + c] + step * step * seen * share;
            mean[c] += step * share;
        }
        seen += count;
    }
    let n = f64::max(seen, 1.0);
    Ok(Statistics {
        mean: mean.into_iter().map(R::of).collect(),
        variance: squares.into_iter().map(|sum: f64| R::of(sum.max(0.0) / n)).collect(),
    })
}

/// Computes y (n, C) from x (n, C), normalized with the given statistics.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(layer: BatchNorm<'_, R>, x: &[R], of: &Statistics<R>) -> Result<Vec<R>> {
    let columns = layer.gamma.len();
    let factor: Vec<R> = inverse(of, layer.epsilon).zip(layer.gamma).map(|(r, &gamma)| gamma * r).collect();
    let shift: Vec<R> = of
        .mean
        .iter()
        .zip(&factor)
        .zip(layer.beta)
        .map(|((&mean, &factor), &beta)| beta - mean * factor)
        .collect();
    let mut y = parallel::scratch("BatchNorm.forward", &[x.len()])?;
    by_rows(&mut y, columns, |rows, y| {
        for (y, x) in y.chunks_exact_mut(columns).zip(x[rows].chunks_exact(columns)) {
            for (((y, &x), &factor), &shift) in y.iter_mut().zip(x).zip(&factor).zip(&shift) {
                *y = x * factor + shift;
            }
        }
        activate(layer.activation, y);
    })?;
    Ok(y)
}

/// Returns 1 / √(σ² + ε) of each column.
fn inverse<R: Real>(of: &Statistics<R>, epsilon: f64) -> impl Iterator<Item = R> {
    of.variance.iter().map(move |variance| R::of(1.0 / (variance.wide() + epsilon).sqrt()))
}

/// The forward pass's values that the backward pass needs.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (n, C)
    pub x: &'a [R],
    /// y (n, C); not read if f is the identity
    pub y: &'a [R],
    /// The statistics that x was normalized with.
    pub statistics: &'a Statistics<R>,
    /// Whether these are x's own, and hence depend on x.
    pub own: bool,
}

/// Adds the gradients of γ and β and returns dx (n, C).
///
/// With dz = dy ⊙ f′ and x̂ = (x − μ) / √(σ² + ε): dγ += Σ dz ⊙ x̂, dβ += Σ dz, and
/// dx = γ / √(σ² + ε) ⊙ (dz − mean of dz − x̂ ⊙ mean of dz ⊙ x̂), without the means if the
/// statistics were given.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    layer: BatchNorm<'_, R>,
    passed: Passed<'_, R>,
    dy: &[R],
    (dgamma, dbeta): (&mut [R], &mut [R]),
) -> Result<Vec<R>> {
    const OP: &str = "BatchNorm.backward";
    let columns = layer.gamma.len();
    let rows = passed.x.len() / columns.max(1);
    let (mean, inverse): (_, Vec<R>) =
        (&passed.statistics.mean, inverse(passed.statistics, layer.epsilon).collect());
    let through = |numbers: &Range<usize>, dz: &mut [R]| {
        dz.copy_from_slice(&dy[numbers.clone()]);
        if layer.activation != Activation::Identity {
            differentiate(layer.activation, &passed.y[numbers.clone()], dz);
        }
    };
    let partial = by_chunks(OP, rows, columns, |rows, sums| {
        let numbers = rows.start * columns..rows.end * columns;
        let mut dz = vec![R::zero(); numbers.len()];
        through(&numbers, &mut dz);
        let (mut of_dz, mut of_product) = (vec![R::zero(); columns], vec![R::zero(); columns]);
        for (dz, x) in dz.chunks_exact(columns).zip(passed.x[numbers].chunks_exact(columns)) {
            let sums = of_dz.iter_mut().zip(&mut of_product);
            for ((((sum, product), &dz), &x), &mean) in sums.zip(dz).zip(x).zip(mean) {
                *sum += dz;
                *product += dz * (x - mean);
            }
        }
        let both = of_dz.iter().chain(&of_product);
        sums.iter_mut().zip(both).for_each(|(sum, part)| *sum = part.wide());
    })?;
    let mut sums = vec![0.0; 2 * columns];
    for chunk in partial.chunks_exact((2 * columns).max(1)) {
        sums.iter_mut().zip(chunk).for_each(|(sum, part)| *sum += part);
    }
    // Σ dz ⊙ x̂
    sums[columns..].iter_mut().zip(&inverse).for_each(|(sum, r)| *sum *= r.wide());
    dbeta.iter_mut().zip(&sums).for_each(|(d, &sum)| *d += R::of(sum));
    dgamma.iter_mut().zip(&sums[columns..]).for_each(|(d, &sum)| *d += R::of(sum));

    // dx = a dz − b − c (x − μ)
    let n = if passed.own { rows.max(1) as f64 } else { f64::INFINITY };
    let a: Vec<R> = layer.gamma.iter().zip(&inverse).map(|(&gamma, &r)| gamma * r).collect();
    let b: Vec<R> = a.iter().zip(&sums).map(|(a, sum)| R::of(a.wide() * sum / n)).collect();
    let c = a.iter().zip(&inverse).zip(&sums[columns..]);
    let c: Vec<R> = c.map(|((a, r), sum)| R::of(a.wide() * r.wide() * sum / n)).collect();
    let mut dx = parallel::scratch(OP, &[passed.x.len()])?;
    by_rows(&mut dx, columns, |numbers, dx| {
        through(&numbers, dx);
        for (dx, x) in dx.chunks_exact_mut(columns).zip(passed.x[numbers].chunks_exact(columns)) {
            for (i, (dx, &x)) in dx.iter_mut().zip(x).enumerate() {
                *dx = a[i] * *dx - (b[i] + c[i] * (x - mean[i]));
            }
        }
    })?;
    Ok(dx)
}

/// Calls f(rows, sums) for each chunk of rows, with 2 C zeros as `sums`; returns the chunks'
/// sums, concatenated.
fn by_chunks(
    op: &'static str,
    rows: usize,
    columns: usize,
    f: impl Fn(Range<usize>, &mut [f64]) + Sync,
) -> Result<Vec<f64>> {
    let chunks = rows.div_ceil(CHUNK);
    let mut sums = parallel::zeros::<f64>(op, &[chunks, 2 * columns])?;
    if sums.is_empty() {
        return Ok(sums);
    }
    let ranges = parallel::ranges(chunks, GRAIN / (CHUNK * columns) + 1)?;
    let parts = parallel::split_rows(&mut sums, &ranges, 2 * columns).into_iter().zip(ranges).collect();
    parallel::for_each(parts, |(sums, range): (&mut [f64], Range<usize>), stop| {
        for (chunk, sums) in range.zip(sums.chunks_exact_mut(2 * columns)) {
            f(chunk * CHUNK..((chunk + 1) * CHUNK).min(rows), sums);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok(sums)
}

/// Calls f(range of elements, these elements) for chunks of rows of y (n, C), divided among the threads.
fn by_rows<R: Real>(y: &mut [R], columns: usize, f: impl Fn(Range<usize>, &mut [R]) + Sync) -> Result<()> {
    if y.is_empty() {
        return Ok(());
    }
    let ranges = parallel::ranges(y.len() / columns, GRAIN / columns + 1)?;
    let parts = parallel::split_rows(y, &ranges, columns).into_iter().zip(ranges).collect();
    parallel::for_each(parts, |(y, range): (&mut [R], Range<usize>), stop| {
        for (i, y) in y.chunks_mut(CHUNK * columns).enumerate() {
            let begin = (range.start + i * CHUNK) * columns;
            f(begin..begin + y.len(), y);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })
}
