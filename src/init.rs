//! Weight initialization: seeded, and bit-identical on every machine.
//!
//! ChaCha8 supplies the random bits. Everything else is plain f64 arithmetic and the logarithm and cosine of
//! the Rust crate `libm`, so the weights depend neither on the C library nor on the instruction set.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

use crate::error::{Error, Result};
use crate::kernels::Real;

/// The initialization scheme of a matrix (rows, columns).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// Uniform on ±scale.
    Uniform,
    /// Normal with standard deviation scale.
    Normal,
    /// Uniform on ±scale·√(6 / (rows + columns)) (Glorot and Bengio 2010).
    Xavier,
    /// Rows (or columns, whichever are fewer) orthonormal, times scale (Saxe, McClelland and Ganguli 2014).
    Orthogonal,
    /// Scale on the diagonal, 0 elsewhere (IRNN: Le, Jaitly and Hinton 2015).
    Identity,
    /// Scale everywhere.
    Constant,
}

impl Scheme {
    /// All schemes, with their names in Python.
    pub const ALL: [(&'static str, Scheme); 6] = [
        ("uniform", Scheme::Uniform),
        ("normal", Scheme::Normal),
        ("xavier", Scheme::Xavier),
        ("orthogonal", Scheme::Orthogonal),
        ("identity", Scheme::Identity),
        ("constant", Scheme::Constant),
    ];
}

/// Initializes a row-major matrix (rows, columns).
///
/// # Errors
/// [`Error::Value`] if scale is not finite, [`Error::Memory`] if the workspace of `Orthogonal` does not fit
/// in memory.
pub fn initialize<R: Real>(
    out: &mut [R],
    columns: usize,
    scheme: Scheme,
    scale: f64,
    seed: u64,
) -> Result<()> {
    if !scale.is_finite() {
        return Err(Error::Value {
            op: "initialize",
            argument: "scale",
            expected: "a finite number".into(),
            got: scale.to_string(),
        });
    }
    let rows = out.len().checked_div(columns).unwrap_or(0);
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    match scheme {
        Scheme::Constant => out.fill(R::of(scale)),
        Scheme::Uniform => fill(out, || scale * (2.0 * uniform(&mut random) - 1.0)),
        Scheme::Xavier => {
            let limit = scale * (6.0 / (rows + columns) as f64).sqrt();
            fill(out, || limit * (2.0 * uniform(&mut random) - 1.0));
        }
        Scheme::Normal => fill(out, || scale * normal(&mut random)),
        Scheme::Identity => {
            out.fill(R::zero());
            for i in 0..rows.min(columns) {
                out[i * columns + i] = R::of(scale);
            }
        }
        Scheme::Orthogonal => orthogonal(out, rows, columns, scale, &mut random)?,
    }
    Ok(())
}

fn fill<R: Real>(out: &mut [R], mut next: impl FnMut() -> f64) {
    out.iter_mut().for_each(|w| *w = R::of(next()));
}

/// Samples uniformly from [0, 1), with 53 bits.
fn uniform(random: &mut ChaCha8Rng) -> f64 {
    (random.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

/// Samples from the standard normal distribution by the Box–Muller transform.
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * libm::log(1.0 - uniform(random))).sqrt();
    radius * libm::cos(2.0 * std::f64::consts::PI * uniform(random))
}

/// Orthonormalizes rows of normal samples by modified Gram–Schmidt; with more rows than columns, works on the
/// transpose.
fn orthogonal<R: Real>(
    out: &mut [R],
    rows: usize,
    columns: usize,
    scale: f64,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    let (few, many) = (rows.min(columns), rows.max(columns));
    let mut basis: Vec<f64> = crate::parallel::zeros("initialize", &[few, many])?;
    basis.iter_mut().for_each(|w| *w = normal(random));
    for i in 0..few {
        let (before, rest) = basis.split_at_mut((i + 1) * many);
        let row = &mut before[i * many..];
        let length = dot(row, row).sqrt();
        row.iter_mut().for_each(|w| *w /= length);
        for other in rest.chunks_exact_mut(many) {
            let along = dot(row, other);
            other.iter_mut().zip(row.iter()).for_each(|(w, q)| *w -= along * q);
        }
    }
    for r in 0..rows {
        for c in 0..columns {
            let w = if rows <= columns { basis[r * many + c] } else { basis[c * many + r] };
            out[r * columns + c] = R::of(scale * w);
        }
    }
    Ok(())
}

/// Returns Σ x·y. Eight interleaved sums fix an order that both vectorized and scalar code can follow.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (whole, rest) = (x.chunks_exact(8), x.len() - x.len() % 8);
    for (a, b) in whole.zip(y.chunks_exact(8)) {
        for i in 0..8 {
            sums[i] += a[i] * b[i];
        }
    }
    let tail: f64 = x[rest..].iter().zip(&y[rest..]).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: usize, columns: usize, scheme: Scheme) -> Vec<f64> {
        let mut out = vec![0.0; rows * columns];
        initialize(&mut out, columns, scheme, 1.0, 7).unwrap();
        out
    }

    #[test]
    fn orthogonal_rows_or_columns_are_orthonormal() {
        for (rows, columns) in [(1, 1), (5, 5), (3, 8), (8, 3), (64, 64)] {
            let w = matrix(rows, columns, Scheme::Orthogonal);
            let by_rows = rows <= columns;
            let few = rows.min(columns);
            let at = |i: usize, k: usize| {
                if by_rows { w[i * columns + k] } else { w[k * columns + i] }
            };
            for i in 0..few {
                for j in 0..few {
                    let product: f64 = (0..rows.max(columns)).map(|k| at(i, k) * at(j, k)).sum();
                    assert!((product - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} {j}: {product}");
                }
            }
        }
    }

    #[test]
    fn the_bits_are_the_same_on_every_machine() {
        // Recorded once: a change here changes the initial weights of every model.
        let sum = |w: Vec<f64>| w.iter().fold(0u64, |h, x| h.rotate_left(5) ^ x.to_bits());
        let schemes = [Scheme::Uniform, Scheme::Normal, Scheme::Xavier, Scheme::Orthogonal];
        assert_eq!(schemes.map(|scheme| sum(matrix(9, 9, scheme))), RECORDED);
    }

    const RECORDED: [u64; 4] =
        [15832885669009284992, 14288552174443627650, 14915231588641256082, 2952507286746104281];

    #[test]
    fn uniform_fills_its_interval_and_normal_has_its_moments() {
        let w = matrix(200, 100, Scheme::Uniform);
        assert!(
            w.iter().all(|x| x.abs() <= 1.0) && w.iter().any(|&x| x > 0.99) && w.iter().any(|&x| x < -0.99)
        );
        let w = matrix(200, 100, Scheme::Normal);
        let mean = w.iter().sum::<f64>() / 2e4;
        let square = w.iter().map(|x| x * x).sum::<f64>() / 2e4;
        assert!(mean.abs() < 0.02 && (square - 1.0).abs() < 0.03, "{mean} {square}");
    }

    #[test]
    fn a_scale_that_is_not_finite_is_refused() {
        assert!(initialize(&mut [0.0f32], 1, Scheme::Normal, f64::NAN, 0).is_err());
    }
}
