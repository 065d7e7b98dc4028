//! The passes of the optimizers over the flat parameter vector. They are plain loops, which the compiler
//! vectorizes for each instruction set. No multiply-add is fused, so every instruction set computes the same
//! bits.

use super::Real;

/// An update rule for a parameter p with gradient g and the state a, b kept for it. `optim.rs` gives the
/// formula of each rule at the struct of the corresponding name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Update<R> {
    /// p ← p − rate (g + decay p)
    Sgd { rate: R, decay: R },
    /// a ← momentum a + g + decay p; p ← p − rate a, or p − rate (g + decay p + momentum a)
    Momentum { rate: R, decay: R, momentum: R, nesterov: bool },
    /// a ← a + (g + decay p)²; p ← p − rate (g + decay p) / (√a + epsilon)
    Adagrad { rate: R, decay: R, epsilon: R },
    /// a ← keep a + rest (g + decay p)²; p as for Adagrad
    RmsProp { rate: R, decay: R, epsilon: R, keep: R, rest: R },
    /// a ← keep₀ a + rest₀ g; b ← keep₁ b + rest₁ g²; p ← shrink p − rate a / (√b / root + epsilon), with g +
    /// decay p in place of g
    Adam { rate: R, decay: R, epsilon: R, keep: [R; 2], rest: [R; 2], root: R, shrink: R },
}

impl<R> Update<R> {
    /// Returns how many numbers the rule keeps per parameter.
    pub(super) fn kept(&self) -> usize {
        match self {
            Update::Sgd { .. } => 0,
            Update::Adam { .. } => 2,
            _ => 1,
        }
    }
}

/// Runs one pass, with g multiplied by `scale`. `a` and `b` have the length of p if the rule keeps them.
#[inline(always)]
pub(super) fn update<R: Real>(rule: &Update<R>, scale: R, p: &mut [R], g: &[R], [a, b]: [&mut [R]; 2]) {
    let n = p.len();
    let g = &g[..n];
    match *rule {
        Update::Sgd { rate, decay } => {
            for i in 0..n {
                p[i] -= rate * (scale * g[i] + decay * p[i]);
            }
        }
        Update::Momentum { rate, decay, momentum, nesterov } => {
            let a = &mut a[..n];
            let (ahead, along) = if nesterov { (R::one(), momentum) } else { (R::zero(), R::one()) };
            for i in 0..n {
                let g = scale * g[i] + decay * p[i];
                a[i] = momentum * a[i] + g;
                p[i] -= rate * (ahead * g + along * a[i]);
            }
        }
        Update::Adagrad { rate, decay, epsilon } => {
            let a = &mut a[..n];
            for i in 0..n {
                let g = scale * g[i] + decay * p[i];
                a[i] += g * g;
                p[i] -= rate * g / (a[i].sqrt() + epsilon);
            }
        }
        Update::RmsProp { rate, decay, epsilon, keep, rest } => {
            let a = &mut a[..n];
            for i in 0..n {
                let g = scale * g[i] + decay * p[i];
                a[i] = keep * a[i] + rest * g * g;
                p[i] -= rate * g / (a[i].sqrt() + epsilon);
            }
        }
        Update::Adam { rate, decay, epsilon, keep, rest, root, shrink } => {
            let (a, b) = (&mut a[..n], &mut b[..n]);
            let inverse = R::one() / root;
            for i in 0..n {
                let g = scale * g[i] + decay * p[i];
                a[i] = keep[0] * a[i] + rest[0] * g;
                b[i] = keep[1] * b[i] + rest[1] * g * g;
                p[i] = shrink * p[i] - rate * a[i] / (b[i].sqrt() * inverse + epsilon);
            }
        }
    }
}

/// Returns Σ g² in f64: 32 interleaved sums, added in order.
#[inline(always)]
pub(super) fn squares<R: Real>(g: &[R]) -> f64 {
    const SUMS: usize = 32;
    let mut sums = [0.0f64; SUMS];
    let mut pieces = g.chunks_exact(SUMS);
    for piece in &mut pieces {
        for i in 0..SUMS {
            let x = piece[i].wide();
            sums[i] += x * x;
        }
    }
    for (sum, x) in sums.iter_mut().zip(pieces.remainder()) {
        *sum += x.wide() * x.wide();
    }
    sums.iter().sum()
}

/// Computes g ← factor g in place.
#[inline(always)]
pub(super) fn scale<R: Real>(factor: R, g: &mut [R]) {
    for x in g {
        *x *= factor;
    }
}
