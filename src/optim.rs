//! Gradient descent: each update is one pass over the flat vector of parameters θ, with g its gradient.
//!
//! The elements are independent, so the vectors are cut into as many pieces as there are threads and the bits stay
//! the same. The norm sums squares in f64 over blocks of a fixed length, and the blocks in order.

use crate::error::{Error, Result};
use crate::kernels::Real;
use crate::parallel;

/// Fewest parameters worth a thread of their own.
const GRAIN: usize = 1 << 15;

/// Numbers in a block of the norm's sum.
const NORM_BLOCK: usize = 4096;

/// θ ← θ − η v, v ← μ v + g (Nesterov: θ ← θ − η (g + μ v)); g includes `weight_decay`·θ.
#[derive(Debug, Clone, Copy)]
pub struct Sgd {
    /// η
    pub learning_rate: f64,
    /// μ; at 0 no velocity is kept.
    pub momentum: f64,
    /// Looks ahead by one step of the momentum (Sutskever et al. 2013).
    pub nesterov: bool,
    /// L2 penalty, added to g.
    pub weight_decay: f64,
}

/// s ← s + g²; θ ← θ − η g / (√s + ε) (Duchi, Hazan and Singer 2011).
#[derive(Debug, Clone, Copy)]
pub struct Adagrad {
    /// η
    pub learning_rate: f64,
    /// ε
    pub epsilon: f64,
    /// L2 penalty, added to g.
    pub weight_decay: f64,
}

/// s ← α s + (1 − α) g²; θ ← θ − η g / (√s + ε) (Tieleman and Hinton 2012).
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

/// m ← β₁ m + (1 − β₁) g; v ← β₂ v + (1 − β₂) g²; θ ← θ − η m̂ / (√v̂ + ε), m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ)
/// (Kingma and Ba 2015); decoupled: θ shrinks by η·`weight_decay`·θ instead of g growing (Loshchilov and Hutter 2019).
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
    /// Strength of the penalty.
    pub weight_decay: f64,
    /// AdamW's penalty instead of L2.
    pub decoupled: bool,
}

/// Calls `update` on matching pieces of all vectors.
fn apply<R: Real, const N: usize>(
    parameters: &mut [R],
    gradients: &[R],
    state: [(&'static str, &mut [R]); N],
    update: impl Fn(&mut [R], &[R], [&mut [R]; N]) + Sync,
) -> Result<()> {
    let n = parameters.len();
    for (argument, length) in
        [("gradients", gradients.len())].into_iter().chain(state.iter().map(|(a, s)| (*a, s.len())))
    {
        crate::error::check_shape("optimiser", argument, &[length], &[("parameters", Some(n))])?;
    }
    let ranges = parallel::ranges(n, GRAIN)?;
    let mut state: [_; N] = state.map(|(_, s)| parallel::split_rows(s, &ranges, 1).into_iter());
    let pieces: Vec<_> = parallel::split_rows(parameters, &ranges, 1)
        .into_iter()
        .zip(&ranges)
        .map(|(p, range)| {
            (p, &gradients[range.clone()], state.each_mut().map(|s| s.next().unwrap_or_default()))
        })
        .collect();
    parallel::for_each(pieces, |(p, g, s), _| {
        update(p, g, s);
        Ok(())
    })
}

impl Sgd {
    /// One step; `velocity` is v, and is not needed without momentum.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length or a velocity is missing.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        velocity: Option<&mut [R]>,
    ) -> Result<()> {
        let (eta, mu, decay) = (R::of(self.learning_rate), R::of(self.momentum), R::of(self.weight_decay));
        match velocity {
            None if self.momentum != 0.0 => Err(Error::Value {
                op: "sgd",
                argument: "velocity",
                expected: "a vector, since momentum is not 0".into(),
                got: "none".into(),
            }),
            None => apply(parameters, gradients, [], |p, g, []| {
                for (p, &g) in p.iter_mut().zip(g) {
                    *p -= eta * (g + decay * *p);
                }
            }),
            Some(velocity) => apply(parameters, gradients, [("velocity", velocity)], |p, g, [v]| {
                for ((p, &g), v) in p.iter_mut().zip(g).zip(v) {
                    let g = g + decay * *p;
                    *v = mu * *v + g;
                    *p -= eta * if self.nesterov { g + mu * *v } else { *v };
                }
            }),
        }
    }
}

impl Adagrad {
    /// One step; `squares` is s.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length.
    pub fn step<R: Real>(&self, parameters: &mut [R], gradients: &[R], squares: &mut [R]) -> Result<()> {
        let (eta, eps, decay) = (R::of(self.learning_rate), R::of(self.epsilon), R::of(self.weight_decay));
        apply(parameters, gradients, [("squares", squares)], |p, g, [s]| {
            for ((p, &g), s) in p.iter_mut().zip(g).zip(s) {
                let g = g + decay * *p;
                *s += g * g;
                *p -= eta * g / (s.sqrt() + eps);
            }
        })
    }
}

impl RmsProp {
    /// One step; `squares` is s.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length.
    pub fn step<R: Real>(&self, parameters: &mut [R], gradients: &[R], squares: &mut [R]) -> Result<()> {
        let (eta, eps, decay) = (R::of(self.learning_rate), R::of(self.epsilon), R::of(self.weight_decay));
        let (alpha, rest) = (R::of(self.decay), R::of(1.0 - self.decay));
        apply(parameters, gradients, [("squares", squares)], |p, g, [s]| {
            for ((p, &g), s) in p.iter_mut().zip(g).zip(s) {
                let g = g + decay * *p;
                *s = alpha * *s + rest * g * g;
                *p -= eta * g / (s.sqrt() + eps);
            }
        })
    }
}

impl Adam {
    /// One step; `mean` is m, `variance` is v.
    ///
    /// # Errors
    /// [`Error::Shape`] if the vectors differ in length, [`Error::Value`] if the step is 0.
    pub fn step<R: Real>(
        &self,
        parameters: &mut [R],
        gradients: &[R],
        mean: &mut [R],
        variance: &mut [R],
    ) -> Result<()> {
        if self.step == 0 {
            return Err(Error::Value {
                op: "adam",
                argument: "step",
                expected: "a number from 1".into(),
                got: "0".into(),
            });
        }
        let (b1, rest1) = (R::of(self.beta1), R::of(1.0 - self.beta1));
        let (b2, rest2) = (R::of(self.beta2), R::of(1.0 - self.beta2));
        let eta = R::of(self.learning_rate / (1.0 - power(self.beta1, self.step)));
        let root = R::of((1.0 - power(self.beta2, self.step)).sqrt());
        let eps = R::of(self.epsilon);
        let penalty = if self.decoupled { 0.0 } else { self.weight_decay };
        let (penalty, keep) = (
            R::of(penalty),
            R::of(if self.decoupled { 1.0 - self.learning_rate * self.weight_decay } else { 1.0 }),
        );
        let state = [("mean", mean), ("variance", variance)];
        apply(parameters, gradients, state, |p, g, [m, v]| {
            for (((p, &g), m), v) in p.iter_mut().zip(g).zip(m).zip(v) {
                let g = g + penalty * *p;
                *m = b1 * *m + rest1 * g;
                *v = b2 * *v + rest2 * g * g;
                *p = keep * *p - eta * *m / (v.sqrt() / root + eps);
            }
        })
    }
}

/// xⁿ by repeated squaring: the same bits everywhere, unlike the C library's `pow`.
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

/// ‖g‖₂, summed in f64.
///
/// # Errors
/// [`Error::Memory`] or [`Error::Interrupted`].
pub fn norm<R: Real>(gradients: &[R]) -> Result<f64> {
    let blocks = gradients.len().div_ceil(NORM_BLOCK);
    let mut sums = vec![0.0f64; blocks];
    let ranges = parallel::ranges(blocks, GRAIN / NORM_BLOCK)?;
    let parts: Vec<_> = parallel::split_rows(&mut sums, &ranges, 1).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(sums, range), _| {
        for (sum, block) in sums.iter_mut().zip(gradients.chunks(NORM_BLOCK).skip(range.start)) {
            let mut lanes = [0.0f64; 8];
            for eight in block.chunks(8) {
                for (lane, x) in lanes.iter_mut().zip(eight) {
                    *lane += x.wide() * x.wide();
                }
            }
            *sum = lanes.iter().sum();
        }
        Ok(())
    })?;
    Ok(sums.iter().sum::<f64>().sqrt())
}

/// Scales g down to ‖g‖₂ = `most` if it is longer (Pascanu, Mikolov and Bengio 2013); gives ‖g‖₂ before.
///
/// A norm that is not finite leaves g as it is: scaling could only hide where the trouble is.
///
/// # Errors
/// [`Error::Value`] if `most` is not a positive number.
pub fn clip_norm<R: Real>(gradients: &mut [R], most: f64) -> Result<f64> {
    check_limit("clip_norm", "max_norm", most)?;
    let norm = norm(gradients)?;
    if norm.is_finite() && norm > most {
        let factor = R::of(most / norm);
        each(gradients, |g| g * factor)?;
    }
    Ok(norm)
}

/// Clamps every component of g to ±limit; NaN stays.
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
