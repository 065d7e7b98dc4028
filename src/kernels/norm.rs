//! Layer normalization of rows, and its derivative (Ba, Kiros and Hinton 2016).

use super::cell::Task;
use super::simd::Simd;
use super::{Kernels, Real};

/// Added to the variance, so that a row of equal numbers causes no division by zero.
const EPSILON: f64 = 1e-5;

/// Returns Σ (x − a)(y − b): first the whole vectors, then the rest, an order that only n determines.
#[inline(always)]
unsafe fn centered_dot<S: Simd>(
    n: usize,
    (x, a): (*const S::Number, S::Number),
    (y, b): (*const S::Number, S::Number),
) -> S::Number {
    // SAFETY: the caller guarantees n numbers at both pointers, and S's instruction set.
    unsafe {
        let (wide_a, wide_b, mut sums) = (S::splat(a), S::splat(b), S::constant(0.0));
        let whole = n - n % S::LANES;
        for j in (0..whole).step_by(S::LANES) {
            sums = S::load(x.add(j)).sub(wide_a).mul_add(S::load(y.add(j)).sub(wide_b), sums);
        }
        let mut sum = sums.sum();
        for j in whole..n {
            sum += (*x.add(j) - a) * (*y.add(j) - b);
        }
        sum
    }
}

/// Returns Σ x.
#[inline(always)]
unsafe fn total<S: Simd>(n: usize, x: *const S::Number) -> S::Number {
    // SAFETY: as in `centered_dot`.
    unsafe {
        let (mut sums, whole) = (S::constant(0.0), n - n % S::LANES);
        for j in (0..whole).step_by(S::LANES) {
            sums = sums.add(S::load(x.add(j)));
        }
        let mut sum = sums.sum();
        for j in whole..n {
            sum += *x.add(j);
        }
        sum
    }
}

/// The parameters of a normalization: gain and shift of one or more blocks of `width` numbers.
#[derive(Clone, Copy)]
pub struct Norm<'a, R> {
    /// γ
    pub gain: &'a [R],
    /// β
    pub shift: &'a [R],
    /// Size of a block of numbers that are normalized together.
    pub width: usize,
}

struct Normalize<'a, R> {
    norm: Norm<'a, R>,
    x: &'a mut [R],
    hat: &'a mut [R],
    scales: &'a mut [R],
}

impl<R: Real> Task<R> for Normalize<'_, R> {
    #[inline(always)]
    unsafe fn run<S: Simd<Number = R>>(self) {
        let Norm { gain, shift, width: n } = self.norm;
        for (i, (x, scale)) in self.x.chunks_exact_mut(n).zip(self.scales).enumerate() {
            let at = i * n % gain.len();
            let (gain, shift) = (gain[at..][..n].as_ptr(), shift[at..][..n].as_ptr());
            let (x, hat) = (x.as_mut_ptr(), self.hat[i * n..][..n].as_mut_ptr());
            // SAFETY: each pointer is valid for n numbers; the caller guarantees S's instruction set.
            unsafe {
                let count = R::of(n as f64);
                let mean = total::<S>(n, x) / count;
                let variance = centered_dot::<S>(n, (x, mean), (x, mean)) / count;
                *scale = R::one() / (variance + R::of(EPSILON)).sqrt();
                let (mean, scale) = (S::splat(mean), S::splat(*scale));
                let whole = n - n % S::LANES;
                for j in (0..whole).step_by(S::LANES) {
                    let y = S::load(x.add(j)).sub(mean).mul(scale);
                    y.store(hat.add(j));
                    y.mul_add(S::load(gain.add(j)), S::load(shift.add(j))).store(x.add(j));
                }
                let last = n - whole;
                if last > 0 {
                    let y = S::load_first(x.add(whole), last).sub(mean).mul(scale);
                    y.store_first(hat.add(whole), last);
                    let shift = S::load_first(shift.add(whole), last);
                    y.mul_add(S::load_first(gain.add(whole), last), shift).store_first(x.add(whole), last);
                }
            }
        }
    }
}

struct Differentiate<'a, R> {
    norm: Norm<'a, R>,
    hat: &'a [R],
    scales: &'a [R],
    d: &'a mut [R],
    dgain: &'a mut [R],
    dshift: &'a mut [R],
}

impl<R: Real> Task<R> for Differentiate<'_, R> {
    #[inline(always)]
    unsafe fn run<S: Simd<Number = R>>(self) {
        let Norm { gain, width: n, .. } = self.norm;
        for (i, d) in self.d.chunks_exact_mut(n).enumerate() {
            let hat = &self.hat[i * n..][..n];
            let gain = &gain[i * n % gain.len()..][..n];
            let (dgain, dshift) = (&mut self.dgain[i * n..][..n], &mut self.dshift[i * n..][..n]);
            // A separate loop over independent numbers, which the compiler vectorizes.
            for j in 0..n {
                dshift[j] += d[j];
                dgain[j] += d[j] * hat[j];
                d[j] *= gain[j];
            }
            // SAFETY: each pointer is valid for n numbers; the caller guarantees S's instruction set.
            unsafe {
                let (count, zero) = (R::of(n as f64), R::zero());
                let mean = total::<S>(n, d.as_ptr()) / count;
                let along = centered_dot::<S>(n, (d.as_ptr(), zero), (hat.as_ptr(), zero)) / count;
                for j in 0..n {
                    d[j] = self.scales[i] * (d[j] - mean - hat[j] * along);
                }
            }
        }
    }
}

/// Normalizes each block of `width` numbers in the rows of x: computes x̂ = (x − mean) / √(variance + 10⁻⁵)
/// and x ← γ x̂ + β. Writes x̂ to `hat` and 1 / √(variance + 10⁻⁵) of each block to `scales`.
///
/// # Panics
/// If the lengths do not match.
pub fn normalize<R: Real>(norm: Norm<'_, R>, x: &mut [R], hat: &mut [R], scales: &mut [R]) {
    normalize_on(R::kernels(), norm, x, hat, scales);
}

fn normalize_on<R: Real>(
    kernels: &'static Kernels<R>,
    norm: Norm<'_, R>,
    x: &mut [R],
    hat: &mut [R],
    scales: &mut [R],
) {
    check(norm, x.len(), hat.len(), scales.len());
    // SAFETY: the processor has the kernels' instruction set; the lengths match.
    unsafe { R::run(kernels.isa, Normalize { norm, x, hat, scales }) }
}

/// The backward pass of [`normalize`]: d holds ∂L/∂y for y = γ x̂ + β and is replaced by ∂L/∂x. Adds
/// ∂L/∂y ⊙ x̂ to `dgain` and ∂L/∂y to `dshift`, row by row; `sums` is (`dgain`, `dshift`), `kept` is
/// (x̂, `scales`).
///
/// # Panics
/// If the lengths do not match.
pub fn differentiate_norm<R: Real>(
    norm: Norm<'_, R>,
    kept: (&[R], &[R]),
    d: &mut [R],
    sums: (&mut [R], &mut [R]),
) {
    differentiate_on(R::kernels(), norm, kept, d, sums);
}

fn differentiate_on<R: Real>(
    kernels: &'static Kernels<R>,
    norm: Norm<'_, R>,
    (hat, scales): (&[R], &[R]),
    d: &mut [R],
    (dgain, dshift): (&mut [R], &mut [R]),
) {
    check(norm, d.len(), hat.len(), scales.len());
    assert!(dgain.len() >= d.len() && dshift.len() >= d.len(), "sizes do not match");
    // SAFETY: as in `normalize_on`.
    unsafe { R::run(kernels.isa, Differentiate { norm, hat, scales, d, dgain, dshift }) }
}

fn check<R>(norm: Norm<'_, R>, x: usize, hat: usize, scales: usize) {
    let (n, row) = (norm.width, norm.gain.len());
    assert!(n > 0 && row > 0 && row.is_multiple_of(n) && norm.shift.len() == row, "sizes do not match");
    assert!(x.is_multiple_of(row) && hat >= x && scales * n >= x, "sizes do not match");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::supported;

    fn numbers<R: Real>(n: usize, factor: f64) -> Vec<R> {
        (0..n).map(|i| R::of((i as f64 * factor).sin() + 0.3 * (i % 3) as f64)).collect()
    }

    fn wide<R: Real>(x: &[R]) -> Vec<f64> {
        x.iter().map(|x| x.wide()).collect()
    }

    /// Compares rows of two blocks of n numbers with the formulas in f64.
    fn rows_are_right<R: Real>(n: usize, tolerance: f64) {
        let (rows, width) = (3, 2 * n);
        let (gain, shift) = (numbers::<R>(width, 0.7), numbers::<R>(width, 1.3));
        let (x, d) = (numbers::<R>(rows * width, 0.9), numbers::<R>(rows * width, 1.7));
        let norm = Norm { gain: &gain, shift: &shift, width: n };
        for isa in supported() {
            let kernels = R::kernels_of(isa);
            let (mut y, mut hat, mut scales) = (x.clone(), d.clone(), vec![R::zero(); 2 * rows]);
            normalize_on(kernels, norm, &mut y, &mut hat, &mut scales);
            let (mut dx, ones) = (d.clone(), || vec![R::one(); rows * width]);
            let (mut dgain, mut dshift) = (ones(), ones());
            differentiate_on(kernels, norm, (&hat, &scales), &mut dx, (&mut dgain, &mut dshift));
            let close = |got: R, exact: f64, what: &str| {
                let error = (got.wide() - exact).abs();
                assert!(
                    error <= tolerance * exact.abs().max(1.0),
                    "{isa:?}, n = {n}, {what}: {got}, not {exact}"
                );
            };
            for block in 0..2 * rows {
                let at = block * n..(block + 1) * n;
                let (x, d) = (wide(&x[at.clone()]), wide(&d[at.clone()]));
                let of = |all: &[R], j: usize| all[at.start % width + j].wide();
                let mean = x.iter().sum::<f64>() / n as f64;
                let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n as f64;
                let scale = 1.0 / (variance + EPSILON).sqrt();
                let exact: Vec<f64> = x.iter().map(|x| (x - mean) * scale).collect();
                let felt: Vec<f64> = (0..n).map(|j| d[j] * of(&gain, j)).collect();
                let felt_mean = felt.iter().sum::<f64>() / n as f64;
                let along = felt.iter().zip(&exact).map(|(f, e)| f * e).sum::<f64>() / n as f64;
                for j in 0..n {
                    let i = at.start + j;
                    close(hat[i], exact[j], "x̂");
                    close(y[i], of(&gain, j) * exact[j] + of(&shift, j), "y");
                    close(dx[i], scale * (felt[j] - felt_mean - exact[j] * along), "dx");
                    close(dgain[i], 1.0 + d[j] * exact[j], "dγ");
                    close(dshift[i], 1.0 + d[j], "dβ");
                }
            }
        }
    }

    #[test]
    fn blocks_of_every_width() {
        for n in [2, 3, 7, 8, 16, 17, 50] {
            rows_are_right::<f32>(n, 2e-5);
            rows_are_right::<f64>(n, 1e-13);
        }
    }

    #[test]
    fn a_block_of_equal_numbers_becomes_the_shift() {
        let norm = Norm { gain: &[2.0f32; 5], shift: &[0.5; 5], width: 5 };
        let (mut x, mut hat, mut scales) = ([7.0f32; 5], [0.0; 5], [0.0]);
        normalize(norm, &mut x, &mut hat, &mut scales);
        assert_eq!((x, hat), ([0.5; 5], [0.0; 5]));
        assert!(scales[0].is_finite());
    }
}
