//! Exponential, tanh and sigmoid on vectors, from one polynomial.
//!
//! With x = n·ln 2 + r, n whole and |r| ≤ ln 2 / 2, e^x − 1 = 2^n (e^r − 1) + (2^n − 1), and e^r − 1 is its own
//! Taylor series, cut where the next term is below half a unit in the last place. Near 0, where e^{2x} − 1 would round
//! more coarsely than tanh x, tanh is an odd polynomial. `tests.rs` holds the bounds.

use super::Real;
use super::simd::Simd;

/// Constants of a floating-point type for the reduction of exp's argument.
pub(super) struct Exp<R: 'static> {
    /// ln 2 = `ln2_high` + `ln2_low`; n · `ln2_high` is exact for every n that occurs.
    pub(super) ln2_high: R,
    pub(super) ln2_low: R,
    /// Below this, e^x rounds to 0.
    pub(super) least: R,
    /// Above this, e^x overflows to +∞.
    pub(super) most: R,
    /// |x| from which tanh(x) rounds to ±1.
    pub(super) tanh_saturates: R,
    /// 1/k! from the highest k down to k = 2.
    pub(super) series: &'static [R],
    /// P with tanh x ≈ x + x³ P(x²) for |x| < 0.625, from the highest power down: interpolated at Chebyshev's nodes,
    /// relative error 5.4e-10 in f32, 1.3e-18 in f64.
    pub(super) tanh_series: &'static [R],
}

pub(super) const EXP_F32: Exp<f32> = Exp {
    ln2_high: 355.0 / 512.0,
    ln2_low: -2.121_944_4e-4,
    least: -104.0,
    most: 89.0,
    tanh_saturates: 10.0,
    series: &[1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5],
    tanh_series: &[
        2.292_744_8e-3,
        -8.343_945e-3,
        2.176_891_9e-2,
        -5.395_926e-2,
        1.333_330_4e-1,
        -3.333_333_3e-1,
    ],
};

pub(super) const EXP_F64: Exp<f64> = Exp {
    ln2_high: 0.693_147_180_369_123_8,
    ln2_low: 1.908_214_929_270_587_7e-10,
    least: -746.0,
    most: 710.0,
    tanh_saturates: 20.0,
    series: &[
        1.0 / 87_178_291_200.0,
        1.0 / 6_227_020_800.0,
        1.0 / 479_001_600.0,
        1.0 / 39_916_800.0,
        1.0 / 3_628_800.0,
        1.0 / 362_880.0,
        1.0 / 40_320.0,
        1.0 / 5040.0,
        1.0 / 720.0,
        1.0 / 120.0,
        1.0 / 24.0,
        1.0 / 6.0,
        0.5,
    ],
    tanh_series: &[
        6.485_163_482_793_113e-6,
        -3.12011014257974e-5,
        9.257_116_129_556_769e-5,
        -0.0002375906496055562,
        0.000_589_660_657_775_704_3,
        -0.0014557754120478055,
        0.0035921217511549623,
        -0.008_863_235_103_240_878,
        0.021869488519008306,
        -0.053_968_253_967_896_99,
        0.13333333333333042,
        -0.333_333_333_333_333_3,
    ],
};

/// (n, e^r − 1) with x = n·ln 2 + r.
#[inline(always)]
unsafe fn reduce<S: Simd>(x: S) -> (S, S) {
    // SAFETY: the caller's instruction set covers S, as everywhere in this file.
    unsafe {
        let c = S::Number::EXP;
        let n = x.mul(S::constant(std::f64::consts::LOG2_E)).round();
        let minus_n = S::constant(0.0).sub(n);
        let r = minus_n.mul_add(S::splat(c.ln2_low), minus_n.mul_add(S::splat(c.ln2_high), x));
        let mut sum = S::splat(c.series[0]);
        for &term in &c.series[1..] {
            sum = sum.mul_add(r, S::splat(term));
        }
        (n, sum.mul(r).mul_add(r, r))
    }
}

/// e^x; 0 and +∞ beyond the range, NaN for NaN.
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let c = S::Number::EXP;
        let x = S::splat(c.least).max(S::splat(c.most).min(x));
        let (n, fraction) = reduce(x);
        // 2^n in two factors, since n itself may be outside the exponents of normal numbers.
        let half = n.mul(S::constant(0.5)).round();
        let rest = n.sub(half).power_of_two();
        let half = half.power_of_two();
        fraction.mul_add(half, half).mul(rest)
    }
}

/// tanh x: x + x³ P(x²) near 0, elsewhere (e^{2|x|} − 1) / (e^{2|x|} + 1) with the sign of x.
#[inline(always)]
pub(super) unsafe fn tanh<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let c = S::Number::EXP;
        let magnitude = x.abs();
        let square = x.mul(x);
        let mut p = S::splat(c.tanh_series[0]);
        for &term in &c.tanh_series[1..] {
            p = p.mul_add(square, S::splat(term));
        }
        let near_zero = p.mul(square).mul_add(x, x);

        let (two, one) = (S::constant(2.0), S::constant(1.0));
        let (n, fraction) = reduce(S::splat(c.tanh_saturates).min(magnitude).mul(two));
        let scale = n.power_of_two();
        let less_one = fraction.mul_add(scale, scale.sub(one));
        let far = less_one.div(less_one.add(two));
        magnitude.less(S::constant(0.625), near_zero, far).copy_sign(x)
    }
}

/// σ(x) = 1 / (1 + e^{−x}).
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let one = S::constant(1.0);
        one.div(one.add(exp(S::constant(0.0).sub(x))))
    }
}
