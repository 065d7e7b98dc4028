//! Optimizers: each update is one pass over the flat parameter vector θ, whose gradient is g.
//!
//! The elements are independent, so splitting the vectors over the threads does not change the bits. The norm
//! sums squares in f64 within blocks of a fixed length, then sums the blocks in order.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::kernels::{self, Real, Update};
use crate::parallel;

/// Fewest parameters worth a thread.
const GRAIN: usize = 1 << 15;

/// Numbers per block of the norm's sum.
const NORM_BLOCK: usize = 4096;

/// Stochastic gradient descent: v ← μ v + g; θ ← θ − η v, or θ ← θ − η (g + μ v) with Nesterov momentum. g
/// includes `weight_decay`·θ.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// η
    pub learning_rate: f64,
    /// μ; without momentum (0), no velocity is needed.
    pub momentum: f64,
    /// Nesterov momentum (Sutskever et al. 2013).
    pub nesterov: bool,
    /// L2 penalty, added to g.
    pub weight_decay: f64,
}

/// Adagrad: s ← s + g²; θ ← θ − η g / (√s + ε) (Duchi, Hazan and Singer 2011).
#[derive(Debug, Clone, Copy)]
pub struct Adagrad {
    /// η
    pub learning_rate: f64,
    /// ε
    pub epsilon: f64,
    /// L2 penalty, added to g.
    pub weight_decay: f64,
}

/// RMSProp: s ← α s + (1 − α) g²; θ ← θ − η g / (√s + ε) (Tieleman and Hinton 2012).
#[derive(Debug, Clone, Copy)]
pub struct RmsProp {
    /// η
    pub learning_rate: f64,
    /// α
    pub decay: f64,
    /// ε
    pub epsilon: f64,
    /// L2 penalty, added to g.
    pub weight_decay: f64,
}

/// Adam: m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; θ ← θ − η m̂ / (√v̂ + ε), with m̂ = m / (1 − β₁ᵗ) and
/// v̂ = v / (1 − β₂ᵗ) (Kingma and Ba 2015).
///
/// Decoupled weight decay (AdamW) subtracts η·`weight_decay`·θ from θ instead of adding `weight_decay`·θ to g
/// (Loshchilov and Hutter 2019).
#[derive(Debug, Clone, Copy)]
pub struct Adam {
    /// t, from 1.
    pub step: u64,
    /// η
    pub learning_rate: f64,
    /// β₁
    pub beta1: f64,
    /// β₂
    pub beta2: f64,
    /// ε
    pub epsilon: f64,
    /// Weight decay coefficient.
    pub weight_decay: f64,
    /// Decoupled weight decay instead of an L2 penalty.
    pub decoupled: bool,
}

/// The elements of a gradient that may be nonzero: all, or those in the given spans.
///
/// The gradient of an embedding has a row per token of the vocabulary; a batch touches only a few of them.
#[derive(Clone, Copy)]
pub enum Spans<'a> {
    /// All elements.
    All,
    /// Half-open spans [start, end), disjoint and in increasing order.
    Some(&'a [[i64; 2]]),
}

impl Spans<'_> {
    /// Returns the spans of a vector of `n` numbers as ranges of at most `most` numbers each.
    fn ranges(self, n: usize, most: usize) -> Result<Vec<Range<usize>>> {
        let all = [[0, n as i64]];
        let spans = match self {
            Spans::All => &all[..],
            Spans::Some(spans) => spans,
        };
        let mut ranges = Vec::new();
        let mut end = 0i64;
        for &[from, until] in spans {
            if from < end || until < from || until as usize > n {
                return Err(Error::Value {
                    op: "optimizer",
                    argument: "spans",
                    expected: format!("increasing spans within {n} numbers"),
                    got: format!("{from} to {until}"),
                });
            }
            end = until;
            let (from, until) = (from as usize, until as usize);
            ranges.extend((from..until).step_by(most).map(|i| i..(i + most).min(until)));
        }
        Ok(ranges)
    }
}

/// Performs one step of `rule`, with g multiplied by `scale`; `state` holds the rule's state vectors.
fn step<R: Real, const N: usize>(
    rule: &Update<R>,
    (parameters, gradients): (&mut [R], &[R]),
    scale: f64,
    state: [(&'static str, &mut [R]); N],
) -> Result<()> {
    let n = parameters.len();
    for (argument, length) in
        [("gradients", gradients.len())].into_iter().chain(state.iter().map(|(a, s)| (*a, s.len())))
    {
        crate::error::check_shape("optimizer", argument, &[length], &[("parameters", Some(n))])?;
    }
    let ranges = parallel::ranges(n, GRAIN)?;
    let mut state: [_; N] = state.map(|(_, s)| parallel::split_rows(s, &ranges, 1).into_iter());
    let pieces: Vec<_> = parallel::split_rows(parameters, &ranges, 1)
        .into_iter()
        .zip(&ranges)
        .map(|(p, range)| {
            let mut state = state.iter_mut().map(|s| s.next().unwrap_or_default());
            (p, &gradients[range.clone()], [(); 2].map(|()| state.next().unwrap_or_default()))
        })
        .collect();
    let scale = R::of(scale);
    parallel::for_each(pieces, |(p, g, state), _| {
        kernels::apply(rule, scale, p, g, state);
        Ok(())
    })
}

impl Sgd {
    /// Performs one step, with g multiplied by `scale`; `velocity` is v and may be `None` without momentum.
    ///
    /// Without momentum and weight decay, only the spans are visited.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length; [`Error::Value`] if a velocity is missing.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        velocity: Option<&mut [R]>,
        (scale, spans): (f64, Spans<'_>),
    ) -> Result<()> {
        let (rate, decay) = (R::of(self.learning_rate), R::of(self.weight_decay));
        let vectors = (parameters, gradients);
        match velocity {
            None if self.momentum != 0.0 => Err(Error::Value {
                op: "sgd",
                argument: "velocity",
                expected: "a vector, since momentum is not 0".into(),
                got: "none".into(),
            }),
            None => {
                let rule = Update::Sgd { rate, decay };
                if let (Spans::Some(_), true) = (spans, self.weight_decay == 0.0) {
                    return only_in(spans, &rule, vectors, scale);
                }
                step(&rule, vectors, scale, [])
            }
            Some(velocity) => {
                let (momentum, nesterov) = (R::of(self.momentum), self.nesterov);
                let rule = Update::Momentum { rate, decay, momentum, nesterov };
                step(&rule, vectors, scale, [("velocity", velocity)])
            }
        }
    }
}

/// Performs one step of a rule without state, within the spans only.
fn only_in<R: Real>(
    spans: Spans<'_>,
    rule: &Update<R>,
    (parameters, gradients): (&mut [R], &[R]),
    scale: f64,
) -> Result<()> {
    let n = parameters.len();
    crate::error::check_shape("optimizer", "gradients", &[gradients.len()], &[("parameters", Some(n))])?;
    let ranges = spans.ranges(n, GRAIN)?;
    let scale = R::of(scale);
    let pieces: Vec<_> = pieces(parameters, &ranges).into_iter().zip(&ranges).collect();
    parallel::for_each(parallel::batches(pieces, |(p, _)| p.len())?, |pieces, _| {
        for (p, range) in pieces {
            kernels::apply(rule, scale, p, &gradients[range.clone()], [&mut [], &mut []]);
        }
        Ok(())
    })
}

/// Splits off the pieces of a vector that lie in increasing, disjoint ranges.
fn pieces<'a, R>(mut data: &'a mut [R], ranges: &[Range<usize>]) -> Vec<&'a mut [R]> {
    let mut start = 0;
    ranges
        .iter()
        .map(|range| {
            let (_, rest) = std::mem::take(&mut data).split_at_mut(range.start - start);
            let (piece, rest) = rest.split_at_mut(range.len());
            data = rest;
            start = range.end;
            piece
        })
        .collect()
}

impl Adagrad {
    /// Performs one step, with g multiplied by `scale`; `squares` is s.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        squares: &mut [R],
        scale: f64,
    ) -> Result<()> {
        let (rate, decay) = (R::of(self.learning_rate), R::of(self.weight_decay));
        let rule = Update::Adagrad { rate, decay, epsilon: R::of(self.epsilon) };
        step(&rule, (parameters, gradients), scale, [("squares", squares)])
    }
}

impl RmsProp {
    /// Performs one step, with g multiplied by `scale`; `squares` is s.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        squares: &mut [R],
        scale: f64,
    ) -> Result<()> {
        let (rate, decay) = (R::of(self.learning_rate), R::of(self.weight_decay));
        let (keep, rest) = (R::of(self.decay), R::of(1.0 - self.decay));
        let rule = Update::RmsProp { rate, decay, epsilon: R::of(self.epsilon), keep, rest };
        step(&rule, (parameters, gradients), scale, [("squares", squares)])
    }
}

impl Adam {
    /// Performs one step, with g multiplied by `scale`; `mean` is m, `variance` is v.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length, [`Error::Value`] if the step is 0.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        (mean, variance): (&mut [R], &mut [R]),
        scale: f64,
    ) -> Result<()> {
        if self.step == 0 {
            return Err(Error::Value {
                op: "adam",
                argument: "step",
                expected: "a number from 1".into(),
                got: "0".into(),
            });
        }
        let (penalty, shrink) = match self.decoupled {
            true => (0.0, 1.0 - self.learning_rate * self.weight_decay),
            false => (self.weight_decay, 1.0),
        };
        let rule = Update::Adam {
            rate: R::of(self.learning_rate / (1.0 - power(self.beta1, self.step))),
            decay: R::of(penalty),
            epsilon: R::of(self.epsilon),
            keep: [R::of(self.beta1), R::of(self.beta2)],
            rest: [R::of(1.0 - self.beta1), R::of(1.0 - self.beta2)],
            root: R::of((1.0 - power(self.beta2, self.step)).sqrt()),
            shrink: R::of(shrink),
        };
        step(&rule, (parameters, gradients), scale, [("mean", mean), ("variance", variance)])
    }
}

/// Returns xⁿ by repeated squaring: bit-identical on every machine, unlike the C library's `pow`.
fn power(mut x: f64, mut n: u64) -> f64 {
    let mut result = 1.0;
    while n > 0 {
        if n & 1 == 1 {
            result *= x;
        }
        x *= x;
        n >>= 1;
    }
    result
}

/// Returns ‖g‖₂, summed in f64.
///
/// # Errors
/// [`Error::Memory`], [`Error::Interrupted`]; [`Error::Value`] for invalid spans.
pub fn norm<R: Real>(gradients: &[R], spans: Spans<'_>) -> Result<f64> {
    let blocks = spans.ranges(gradients.len(), NORM_BLOCK)?;
    let mut sums = vec![0.0f64; blocks.len()];
    let parts: Vec<_> = sums.iter_mut().zip(&blocks).collect();
    parallel::for_each(parallel::batches(parts, |(_, block)| block.len())?, |blocks, _| {
        for (sum, block) in blocks {
            *sum = kernels::squares(&gradients[block.clone()]);
        }
        Ok(())
    })?;
    Ok(sums.iter().sum::<f64>().sqrt())
}

/// Returns the factor that scales g to ‖g‖₂ ≤ `most` (Pascanu, Mikolov and Bengio 2013), and ‖g‖₂.
///
/// The factor is 1 if the norm is not finite: scaling could only hide the cause.
///
/// # Errors
/// [`Error::Value`] if `most` is not a positive number; as [`norm`].
pub fn clipping<R: Real>(gradients: &[R], most: f64, spans: Spans<'_>) -> Result<(f64, f64)> {
    check_limit("clip_norm", "max_norm", most)?;
    let norm = norm(gradients, spans)?;
    Ok((if norm.is_finite() && norm > most { most / norm } else { 1.0 }, norm))
}

/// Scales g to ‖g‖₂ = `most` if its norm is larger. Returns the norm before scaling.
///
/// # Errors
/// As [`clipping`].
pub fn clip_norm<R: Real>(gradients: &mut [R], most: f64, spans: Spans<'_>) -> Result<f64> {
    let (factor, norm) = clipping(gradients, most, spans)?;
    if factor != 1.0 {
        let factor = R::of(factor);
        let ranges = spans.ranges(gradients.len(), GRAIN)?;
        parallel::for_each(
            parallel::batches(pieces(gradients, &ranges), |piece| piece.len())?,
            |pieces, _| {
                pieces.into_iter().for_each(|piece| kernels::scale(factor, piece));
                Ok(())
            },
        )?;
    }
    Ok(norm)
}

/// Sets g to 0 within the spans; elsewhere it is 0 already.
///
/// # Errors
/// As [`norm`].
pub fn clear<R: Real>(gradients: &mut [R], spans: Spans<'_>) -> Result<()> {
    let ranges = spans.ranges(gradients.len(), GRAIN)?;
    parallel::for_each(parallel::batches(pieces(gradients, &ranges), |piece| piece.len())?, |pieces, _| {
        pieces.into_iter().for_each(|piece| piece.fill(R::zero()));
        Ok(())
    })
}

/// Clamps every element of g to ±limit; NaN is left as it is.
///
/// # Errors
/// [`Error::Value`] if `limit` is not a positive number.
pub fn clip_value<R: Real>(gradients: &mut [R], limit: f64) -> Result<()> {
    check_limit("clip_value", "limit", limit)?;
    let limit = R::of(limit);
    each(gradients, |g| {
        if g > limit {
            limit
        } else if g < -limit {
            -limit
        } else {
            g
        }
    })
}

fn check_limit(op: &'static str, argument: &'static str, limit: f64) -> Result<()> {
    if limit > 0.0 {
        return Ok(());
    }
    Err(Error::Value { op, argument, expected: "a number above 0".into(), got: limit.to_string() })
}

fn each<R: Real>(values: &mut [R], f: impl Fn(R) -> R + Sync) -> Result<()> {
    let ranges = parallel::ranges(values.len(), GRAIN)?;
    parallel::for_each(parallel::split_rows(values, &ranges, 1), |part, _| {
        part.iter_mut().for_each(|x| *x = f(*x));
        Ok(())
    })
}
