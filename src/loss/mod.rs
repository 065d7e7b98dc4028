//! Losses L = Σ_t L_t over the T·B positions of a batch, with their gradient do = ∂L/∂o.
//!
//! A position is one step of one sequence: a row of o. Every loss returns the unreduced losses of the
//! positions; L is their weighted sum, or that sum divided by the sum of the weights.

mod mixture;
mod sampled;
mod through;

use crate::error::{Error, Result, check_shape};
use crate::kernels::{self, Real};
use crate::layers::embedding::check_ids;
use crate::layers::linear;
use crate::parallel;

pub use mixture::{Mixture, MixtureGradients, linear_mixture_cross_entropy};
pub use sampled::{Rule, Sample, linear_sampled_loss};
pub use through::{LinearGradients, linear_softmax_cross_entropy};

/// The reduction of the positions' losses to one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// Σ w L
    Sum,
    /// Σ w L / Σ w
    Mean,
}

/// The weights of the positions (1 if `None`) and the reduction.
#[derive(Clone, Copy)]
pub struct Weighting<'a, R> {
    /// One weight per position
    pub weights: Option<&'a [R]>,
    /// Sum or mean
    pub reduction: Reduction,
}

/// L, and the losses of the positions.
#[derive(Debug, Clone)]
pub struct Loss<R> {
    /// L
    pub total: f64,
    /// The loss of each position, without its weight; 0 for ignored positions
    pub positions: Vec<R>,
}

impl<R: Real> Weighting<'_, R> {
    fn of(&self, position: usize) -> R {
        self.weights.map_or(R::one(), |w| w[position])
    }

    /// Returns 1 / Σ w for a mean, 1 for a sum.
    fn scale(&self, op: &'static str, rows: usize, counts: impl Fn(usize) -> bool) -> Result<f64> {
        if let Some(weights) = self.weights {
            check_shape(op, "weights", &[weights.len()], &[("positions", Some(rows))])?;
        }
        if self.reduction == Reduction::Sum {
            return Ok(1.0);
        }
        let sum: f64 = (0..rows).filter(|&i| counts(i)).map(|i| self.of(i).wide()).sum();
        if sum > 0.0 || sum.is_nan() {
            return Ok(1.0 / sum);
        }
        Err(Error::Value {
            op,
            argument: "y",
            expected: "at least one position that counts (a mean over none has no value)".into(),
            got: format!("{rows} positions whose weights add up to {sum}"),
        })
    }

    fn total(&self, positions: &[R], scale: f64) -> f64 {
        let weighted = |(i, loss): (usize, &R)| {
            let w = self.of(i);
            // A weight of 0 silences a position, whatever its loss is.
            if w == R::zero() { 0.0 } else { w.wide() * loss.wide() }
        };
        positions.iter().enumerate().map(weighted).sum::<f64>() * scale
    }
}

/// The targets of softmax cross-entropy.
#[derive(Clone, Copy)]
pub struct Targets<'a, R> {
    /// The correct token at each position
    pub ids: &'a [i64],
    /// Positions with this id are ignored.
    pub ignore: Option<i64>,
    /// ε: the target distribution has 1 − ε on the correct token plus ε spread evenly over all tokens.
    pub smoothing: f64,
    /// The weights and the reduction
    pub weighting: Weighting<'a, R>,
    /// The mixture that the softmax is part of, if tokens are also copied; ids may then exceed the classes.
    pub mixture: Option<Mixture<'a, R>>,
}

impl<R: Real> Targets<'_, R> {
    fn counts(&self, position: usize) -> bool {
        Some(self.ids[position]) != self.ignore
    }

    fn check(&self, op: &'static str, rows: usize, classes: usize) -> Result<f64> {
        check_shape(op, "y", &[self.ids.len()], &[("positions", Some(rows))])?;
        if !(0.0..1.0).contains(&self.smoothing) {
            return Err(Error::Value {
                op,
                argument: "label_smoothing",
                expected: "a number from 0 to below 1".into(),
                got: self.smoothing.to_string(),
            });
        }
        let known = if self.mixture.is_some() { i64::MAX as usize } else { classes };
        match self.ignore {
            None => check_ids(op, "y", self.ids, known)?,
            Some(ignore) => {
                let outside = |id: i64| id != ignore && (id < 0 || id as u64 >= known as u64);
                if let Some(position) = self.ids.iter().position(|&id| outside(id)) {
                    let (id, last) = (self.ids[position], known as i64 - 1);
                    return Err(Error::TokenId { op, argument: "y", position, id, last });
                }
            }
        }
        self.weighting.scale(op, rows, |i| self.counts(i))
    }

    /// Returns the factor of a position's gradient with respect to the scores: its weight, times the
    /// softmax's share of a mixture.
    fn weight(&self, position: usize, scale: f64, loss: R) -> f64 {
        let share = self.mixture.map_or(1.0, |mixture| mixture.share(position, loss.wide()));
        self.weighting.of(position).wide() * scale * share
    }

    /// Turns one row of scores o into do and returns the softmax's loss at the position.
    ///
    /// L = log Σ e^o − (1 − ε) o_y − ε mean(o), and do = (softmax(o) − target) · weight. L = ∞ for an id
    /// that is not a class.
    fn row(&self, position: usize, scale: f64, o: &mut [R]) -> R {
        if !self.counts(position) {
            o.fill(R::zero());
            return R::zero();
        }
        let right = self.ids[position] as usize;
        if right >= o.len() {
            o.fill(R::zero());
            return R::infinity();
        }
        let smoothing = R::of(self.smoothing);
        let spread = R::of(self.smoothing / o.len() as f64);
        let score = o[right];
        let mean = if self.smoothing > 0.0 {
            R::of(o.iter().map(|x| x.wide()).sum::<f64>() / o.len() as f64)
        } else {
            score
        };
        let (most, sum) = kernels::exponentials(o);
        let log_sum = R::of(libm::log(sum.wide()));
        let loss = log_sum + apart(smoothing, most - score, most - mean);
        let weight = self.weight(position, scale, loss);
        if weight == 0.0 {
            o.fill(R::zero());
            return loss;
        }
        let weight = R::of(weight);
        let (factor, spread) = (weight / sum, spread * weight);
        if self.smoothing > 0.0 {
            o.iter_mut().for_each(|x| *x = *x * factor - spread);
        } else {
            kernels::scale(factor, o);
        }
        o[right] -= (R::one() - smoothing) * weight;
        loss
    }
}

/// Returns (1 − ε) (m − o_y) + ε (m − mean(o)), with m the largest score: for ε = 0 without 0 · ∞.
fn apart<R: Real>(smoothing: R, score: R, mean: R) -> R {
    if smoothing == R::zero() { score } else { (R::one() - smoothing) * score + smoothing * mean }
}

/// Computes softmax cross-entropy of the scores o (rows, classes), which are replaced by do.
///
/// # Errors
/// [`Error::Shape`], [`Error::TokenId`], [`Error::Value`].
pub fn softmax_cross_entropy<R: Real>(
    o: &mut [R],
    classes: usize,
    targets: Targets<'_, R>,
) -> Result<Loss<R>> {
    const OP: &str = "SoftmaxCrossEntropy";
    let rows = rows_of(OP, o.len(), classes, targets.ids.len())?;
    let scale = targets.check(OP, rows, classes)?;
    each_row(OP, o, classes, (rows, targets.weighting, scale), |i, row| targets.row(i, scale, row))
}

fn rows_of(op: &'static str, len: usize, columns: usize, rows: usize) -> Result<usize> {
    if columns > 0 && rows.checked_mul(columns) == Some(len) {
        return Ok(rows);
    }
    Err(Error::Shape {
        op,
        argument: "o",
        expected: format!("{rows} positions of at least one score"),
        got: format!("{len} scores, {columns} per position"),
    })
}

/// Calls `row` on every row of o, which it turns into do; sums the losses.
fn each_row<R: Real>(
    op: &'static str,
    o: &mut [R],
    columns: usize,
    (rows, weighting, scale): (usize, Weighting<'_, R>, f64),
    row: impl Fn(usize, &mut [R]) -> R + Sync,
) -> Result<Loss<R>> {
    let mut positions = parallel::scratch(op, &[rows])?;
    let ranges = parallel::ranges(rows, linear::least_rows(64 * columns))?;
    let parts: Vec<_> = parallel::split_rows(o, &ranges, columns)
        .into_iter()
        .zip(parallel::split_rows(&mut positions, &ranges, 1))
        .zip(&ranges)
        .collect();
    parallel::for_each(parts, |((o, losses), range), stop| {
        for ((i, o), loss) in range.clone().zip(o.chunks_exact_mut(columns)).zip(losses) {
            *loss = row(i, o);
            if i % 64 == 0 && stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok(Loss { total: weighting.total(&positions, scale), positions })
}

/// Computes sigmoid cross-entropy for multiple labels: o (rows, labels) is replaced by do; the targets y, in
/// 0..1, have the same shape. A position's loss is Σ_i max(o, 0) − o y + log(1 + e^{−|o|});
/// do = (σ(o) − y) · weight.
///
/// # Errors
/// [`Error::Shape`], [`Error::Value`].
pub fn sigmoid_cross_entropy<R: Real>(
    o: &mut [R],
    labels: usize,
    y: &[R],
    weighting: Weighting<'_, R>,
) -> Result<Loss<R>> {
    const OP: &str = "SigmoidCrossEntropy";
    elementwise(OP, (o, labels), y, weighting, |o, y| {
        let tail = libm::exp(-o.abs());
        let sigma = if o >= 0.0 { 1.0 / (1.0 + tail) } else { tail / (1.0 + tail) };
        // For o = ±∞, the other label has probability 0: its loss is ∞, unless y never asks for it.
        let other = if o > 0.0 { 1.0 - y } else { y };
        let infinite = if other == 0.0 { 0.0 } else { f64::INFINITY };
        let linear = if o.is_finite() { o.max(0.0) - o * y } else { infinite };
        (linear + libm::log1p(tail), sigma - y)
    })
}

/// Computes the squared error: a position's loss is Σ_i (o − y)²; do = 2 (o − y) · weight. o (rows, columns)
/// is replaced by do.
///
/// # Errors
/// [`Error::Shape`], [`Error::Value`].
pub fn squared_error<R: Real>(
    o: &mut [R],
    columns: usize,
    y: &[R],
    weighting: Weighting<'_, R>,
) -> Result<Loss<R>> {
    elementwise("SquaredError", (o, columns), y, weighting, |o, y| ((o - y) * (o - y), 2.0 * (o - y)))
}

/// Computes a loss that is a sum over the elements of a row: `f(o, y)` returns its term and the
/// term's derivative.
fn elementwise<R: Real>(
    op: &'static str,
    (o, columns): (&mut [R], usize),
    y: &[R],
    weighting: Weighting<'_, R>,
    f: impl Fn(f64, f64) -> (f64, f64) + Sync,
) -> Result<Loss<R>> {
    check_shape(op, "y", &[y.len()], &[("elements of o", Some(o.len()))])?;
    let rows = rows_of(op, o.len(), columns, o.len() / columns.max(1))?;
    let scale = weighting.scale(op, rows, |_| true)?;
    each_row(op, o, columns, (rows, weighting, scale), |i, row| {
        let weight = weighting.of(i).wide() * scale;
        let mut loss = 0.0;
        for (o, y) in row.iter_mut().zip(&y[i * columns..]) {
            let (term, derivative) = f(o.wide(), y.wide());
            loss += term;
            *o = if weight == 0.0 { R::zero() } else { R::of(derivative * weight) };
        }
        R::of(loss)
    })
}
