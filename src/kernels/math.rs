//! Exponential, tanh and sigmoid of vectors.
//!
//! An argument is reduced to a multiple of ln 2, which yields a power of 2, and a remainder, for which a
//! short polynomial is accurate to the precision of the type. `tests.rs` checks the error bounds.

use super::Real;
use super::simd::Simd;

/// Constants of a floating-point type. The coefficients of the polynomials are listed from the highest power
/// down; they interpolate at Chebyshev nodes.
pub(super) struct Exp<R: 'static> {
    /// ln 2 = `ln2_high` + `ln2_low`; n · `ln2_high` is exact for all n in use.
    pub(super) ln2_high: R,
    pub(super) ln2_low: R,
    /// Below this, e^x rounds to 0.
    pub(super) least: R,
    /// Above this, e^x overflows to +∞.
    pub(super) most: R,
    /// Up to this x, e^{±x} is a normal number.
    pub(super) normal: R,
    /// Q with e^r ≈ 1 + r + r² Q(r) for |r| ≤ ln 2 / 2: relative error 9.8e-9 in f32, 1.5e-17 in f64.
    pub(super) series: &'static [R],
    /// From this |x| on, tanh(x) rounds to ±1.
    pub(super) tanh_saturates: R,
    /// Q with (1 − e^{−2r}) / 2 ≈ r + r² Q(r) for |r| ≤ ln 2 / 4: relative error 4.7e-10 in f32, 4.6e-19 in
    /// f64.
    pub(super) tanh_series: &'static [R],
}

pub(super) const EXP_F32: Exp<f32> = Exp {
    ln2_high: 355.0 / 512.0,
    ln2_low: -2.121_944_4e-4,
    least: -104.0,
    most: 89.0,
    normal: 87.3,
    series: &[1.392_618_4e-3, 8.363_179e-3, 4.166_655_6e-2, 1.666_657_7e-1, 0.5],
    tanh_saturates: 10.0,
    tanh_series: &[1.273_023_4e-2, -4.458_768e-2, 1.333_329_7e-1, -3.333_317_3e-1, 6.666_667e-1, -1.0],
};

pub(super) const EXP_F64: Exp<f64> = Exp {
    ln2_high: 0.693_147_180_369_123_8,
    ln2_low: 1.908_214_929_270_587_7e-10,
    least: -746.0,
    most: 710.0,
    normal: 708.0,
    series: &[
        2.510_038_549_551_032e-8,
        2.762_008_844_540_974_6e-7,
        2.755_726_845_999_706_4e-6,
        2.480_152_129_595_437_6e-5,
        1.984_126_986_305_361_8e-4,
        1.388_888_891_721_371_7e-3,
        8.333_333_333_330_062e-3,
        4.166_666_666_662_413e-2,
        1.666_666_666_666_666_9e-1,
        0.500_000_000_000_000_1,
    ],
    tanh_saturates: 20.0,
    tanh_series: &[
        -4.283_327_891_064_192e-6,
        2.570_774_221_283_404_3e-5,
        -1.410_932_410_527_247_2e-4,
        7.054_657_382_452_844e-4,
        -3.174_603_177_670_111e-3,
        1.269_841_271_988_520_1e-2,
        -4.444_444_444_442_799_4e-2,
        1.333_333_333_332_181_7e-1,
        -3.333_333_333_333_333_7e-1,
        6.666_666_666_666_669e-1,
        -1.0,
    ],
};

/// Evaluates a polynomial whose coefficients are listed from the highest power down.
#[inline(always)]
unsafe fn polynomial<S: Simd>(coefficients: &[S::Number], x: S) -> S {
    // SAFETY: the caller guarantees S's instruction set, as everywhere in this file.
    unsafe {
        let mut sum = S::splat(coefficients[0]);
        for &term in &coefficients[1..] {
            sum = sum.mul_add(x, S::splat(term));
        }
        sum
    }
}

/// e^x, within 2 units in the last place (f32, −87 ≤ x ≤ 0); 0 or +∞ outside the range, NaN for NaN.
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S) -> S {
    // SAFETY: the caller guarantees S's instruction set.
    unsafe {
        let c = S::Number::EXP;
        let x = S::splat(c.least).max(S::splat(c.most).min(x));
        let n = x.mul(S::constant(std::f64::consts::LOG2_E)).round();
        near_one(x, n).scale(n)
    }
}

/// e^r for x = n·ln 2 + r with the nearest n, so that e^x = 2^n · e^r; e^r is between 0.7 and 1.42.
#[inline(always)]
unsafe fn near_one<S: Simd>(x: S, n: S) -> S {
    // SAFETY: the caller guarantees S's instruction set.
    unsafe {
        let (c, one) = (S::Number::EXP, S::constant(1.0));
        let r = n.mul_add(S::splat(-c.ln2_high), x);
        let r = n.mul_add(S::splat(-c.ln2_low), r);
        polynomial(c.series, r).mul_add(r, one).mul_add(r, one)
    }
}

/// tanh x, within 2 units in the last place for every f32. With |x| = n·ln 2 / 2 + r and p = (1 − e^{−2r}) /
/// 2,
///
/// tanh |x| = ((2^n − 1) / 2 + p) / ((2^n + 1) / 2 − p).
///
/// For small x (n = 0) this is p / (1 − p), without cancellation. The rounding error of the divisor is
/// compensated. For n ≥ 1, an error in r matters less the larger |x| is, so ln 2 needs no low part.
#[inline(always)]
pub(super) unsafe fn tanh<S: Simd>(x: S) -> S {
    // SAFETY: the caller guarantees S's instruction set.
    unsafe {
        let (c, half) = (S::Number::EXP, S::constant(0.5));
        let magnitude = S::splat(c.tanh_saturates).min(x.abs());
        let (n, power) = magnitude.powers(2.0 * std::f64::consts::LOG2_E);
        let r = n.mul_add(S::constant(-0.5 * std::f64::consts::LN_2), magnitude);
        let p = polynomial(c.tanh_series, r).mul(r).mul_add(r, r);
        let (above, below) = (power.mul_add(half, S::constant(-0.5)), power.mul_add(half, half));
        let divisor = below.sub(p);
        let rest = below.sub(divisor).sub(p);
        above.add(p).quotient(divisor, rest).copy_sign(x)
    }
}

/// σ(x) = 1 / (1 + e^{−x}), within 3 units in the last place for |x| ≤ 87 in f32; 0 where σ(x) would be
/// subnormal.
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S) -> S {
    // SAFETY: the caller guarantees S's instruction set.
    unsafe {
        let c = S::Number::EXP;
        let (zero, one) = (S::constant(0.0), S::constant(1.0));
        let minus_x = S::splat(-c.normal).max(S::splat(c.normal).min(zero.sub(x)));
        let (n, power) = minus_x.powers(std::f64::consts::LOG2_E);
        let r = near_one(minus_x, n).mul_add(power, one).reciprocal();
        x.less(S::splat(-c.normal), zero, r)
    }
}
