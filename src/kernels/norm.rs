//! Layer normalisation of rows, and its derivative (Ba, Kiros and Hinton 2016).

use super::Real;
use super::cell::Task;
use super::simd::Simd;

/// What is added to a variance, so that a row of equal numbers can be divided by its root.
const EPSILON: f64 = 1e-5;

/// Σ (x − a)(y − b), all vectors before the rest: an order that n fixes.
#[inline(always)]
unsafe fn centred_dot<S: Simd>(
    n: usize,
    (x, a): (*const S::Number, S::Number),
    (y, b): (*const S::Number, S::Number),
) -> S::Number {
    // SAFETY: the caller promises n numbers behind both pointers, and S's instruction set.
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

/// Σ x
#[inline(always)]
unsafe fn total<S: Simd>(n: usize, x: *const S::Number) -> S::Number {
    // SAFETY: as in `centred_dot`.
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

/// Parameters of a normalisation: gain and shift of `blocks` blocks of `width` numbers.
#[derive(Clone, Copy)]
pub struct Norm<'a, R> {
    /// γ
    pub gain: &'a [R],
    /// β
    pub shift: &'a [R],
    /// Numbers that are normalised together.
    pub width: usize,
}

struct Normalise<'a, R> {
    norm: Norm<'a, R>,
    x: &'a mut [R],
    hat: &'a mut [R],
    scales: &'a mut [R],
}

impl<R: Real> Task<R> for Normalise<'_, R> {
    #[inline(always)]
    unsafe fn run<S: Simd<Number = R>>(self) {
        let Norm { gain, shift, width: n } = self.norm;
        for (i, (x, scale)) in self.x.chunks_exact_mut(n).zip(self.scales).enumerate() {
            let at = i * n % gain.len();
            let (gain, shift) = (gain[at..][..n].as_ptr(), shift[at..][..n].as_ptr());
            let (x, hat) = (x.as_mut_ptr(), self.hat[i * n..][..n].as_mut_ptr());
            // SAFETY: n numbers stand behind each pointer; the caller has S's instruction set.
            unsafe {
                let count = R::of(n as f64);
                let mean = total::<S>(n, x) / count;
                let variance = centred_dot::<S>(n, (x, mean), (x, mean)) / count;
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
            // Loops over numbers of their own: the compiler makes vectors of them.
            for j in 0..n {
                dshift[j] += d[j];
                dgain[j] += d[j] * hat[j];
                d[j] *= gain[j];
            }
            // SAFETY: n numbers stand behind each pointer; the caller has S's instruction set.
            unsafe {
                let (count, zero) = (R::of(n as f64), R::zero());
                let mean = total::<S>(n, d.as_ptr()) / count;
                let along = centred_dot::<S>(n, (d.as_ptr(), zero), (hat.as_ptr(), zero)) / count;
                for j in 0..n {
                    d[j] = self.scales[i] * (d[j] - mean - hat[j] * along);
                }
            }
        }
    }
}

/// x̂ = (x − mean) / √(variance + 10⁻⁵) and x ← γ x̂ + β, for each block of `width` numbers of the rows of x. `scales` gets
/// 1 / √(…) of each.
///
/// # Panics
/// If the lengths do not belong together.
pub fn normalise<R: Real>(norm: Norm<'_, R>, x: &mut [R], hat: &mut [R], scales: &mut [R]) {
    check(norm, x.len(), hat.len(), scales.len());
    // SAFETY: the kernels are the processor's; the lengths belong together.
    unsafe { R::run(R::kernels().isa, Normalise { norm, x, hat, scales }) }
}

/// The way back: d ← what x feels of d, and `dgain` += d ⊙ x̂, `dshift` += d, row by row.
///
/// # Panics
/// If the lengths do not belong together.
pub fn differentiate_norm<R: Real>(
    norm: Norm<'_, R>,
    (hat, scales): (&[R], &[R]),
    d: &mut [R],
    (dgain, dshift): (&mut [R], &mut [R]),
) {
    check(norm, d.len(), hat.len(), scales.len());
    assert!(dgain.len() >= d.len() && dshift.len() >= d.len(), "sizes do not fit");
    // SAFETY: as in `normalise`.
    unsafe { R::run(R::kernels().isa, Differentiate { norm, hat, scales, d, dgain, dshift }) }
}

fn check<R>(norm: Norm<'_, R>, x: usize, hat: usize, scales: usize) {
    let (n, row) = (norm.width, norm.gain.len());
    assert!(n > 0 && row > 0 && row.is_multiple_of(n) && norm.shift.len() == row, "sizes do not fit");
    assert!(x.is_multiple_of(row) && hat >= x && scales * n >= x, "sizes do not fit");
}
