//! Exponential, tanh and sigmoid on vectors.
//!
//! A number is split into a whole power of 2 and a remainder for which a short polynomial is as exact as the type.
//! `tests.rs` holds the bounds.

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
    /// 1/k! from the highest k down to k = 2.
    pub(super) series: &'static [R],
    /// |x| from which tanh(x) rounds to ±1.
    pub(super) tanh_saturates: R,
    /// P with 2^f ≈ 1 + f P(f) for |f| ≤ ½, from the highest power down, interpolated at Chebyshev's nodes: relative
    /// error 3.9e-9 in f32, 6.3e-18 in f64.
    pub(super) power_series: &'static [R],
    /// P with tanh x ≈ x + x³ P(x²) for |x| < 0.55, likewise: 3.6e-9 in f32, 2.1e-18 in f64.
    pub(super) tanh_series: &'static [R],
}

pub(super) const EXP_F32: Exp<f32> = Exp {
    ln2_high: 355.0 / 512.0,
    ln2_low: -2.121_944_4e-4,
    least: -104.0,
    most: 89.0,
    series: &[1.0 / 40320.0, 1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5],
    tanh_saturates: 10.0,
    power_series: &[1.545_316_3e-4, 1.339_086_3e-3, 9.618_083e-3, 5.550_357e-2, 2.402_265e-1, 6.931_472e-1],
    tanh_series: &[-6.610_228e-3, 2.130_938_9e-2, -5.390_943e-2, 1.333_311_4e-1, -3.333_333_3e-1],
};

pub(super) const EXP_F64: Exp<f64> = Exp {
    ln2_high: 0.693_147_180_369_123_8,
    ln2_low: 1.908_214_929_270_587_7e-10,
    least: -746.0,
    most: 710.0,
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
    tanh_saturates: 20.0,
    power_series: &[
        4.454_960_741_607_501_5e-10,
        7.072_585_952_902_488e-9,
        1.017_806_244_504_023_9e-7,
        1.321_544_258_790_352_5e-6,
        0.000_015_252_733_829_837_681,
        0.0001540353044173608,
        0.001_333_355_814_641_693_3,
        0.009_618_129_107_606_888,
        0.055_504_108_664_821_6,
        0.240_226_506_959_100_97,
        std::f64::consts::LN_2,
    ],
    tanh_series: &[
        -0.000_020_602_765_376_321_746,
        0.000_085_113_136_855_705_79,
        -0.000_234_634_741_088_675_37,
        0.000_588_936_052_007_387_3,
        -0.001_455_661_830_100_711_7,
        0.003_592_110_378_689_023,
        -0.008_863_234_397_814_355,
        0.021_869_488_493_666_944,
        -0.053_968_253_967_434_016,
        0.133_333_333_333_327_14,
        -0.333_333_333_333_333_3,
    ],
};

/// A polynomial, its coefficients from the highest power down.
#[inline(always)]
unsafe fn polynomial<S: Simd>(coefficients: &[S::Number], x: S) -> S {
    // SAFETY: the caller's instruction set covers S, as everywhere in this file.
    unsafe {
        let mut sum = S::splat(coefficients[0]);
        for &term in &coefficients[1..] {
            sum = sum.mul_add(x, S::splat(term));
        }
        sum
    }
}

/// e^x, within 2 units in the last place (f32, −87 ≤ x ≤ 0); 0 and +∞ beyond the range, NaN for NaN.
///
/// With x = n·ln 2 + r, n whole and |r| ≤ ln 2 / 2, that is 2^n e^r, and e^r − 1 is its own Taylor series, cut where the
/// next term is below half a unit in the last place.
#[inline(always)]
pub(super) unsafe fn exp<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let c = S::Number::EXP;
        let x = S::splat(c.least).max(S::splat(c.most).min(x));
        let n = x.mul(S::constant(std::f64::consts::LOG2_E)).round();
        let minus_n = S::constant(0.0).sub(n);
        let r = minus_n.mul_add(S::splat(c.ln2_low), minus_n.mul_add(S::splat(c.ln2_high), x));
        let e = polynomial(c.series, r).mul(r).mul_add(r, r).add(S::constant(1.0));
        e.scale(n)
    }
}

/// tanh x, within 2 units in the last place for every f32: x + x³ P(x²) near 0, elsewhere 1 − 2y / (1 + y) with y = e^{−2|x|}, and the sign of x.
///
/// y needs no more precision than 1 − 2y / (1 + y) can show, and less the larger |x| is: so it is simply 2^z with
/// z = −2|x| log₂ e in one product.
#[inline(always)]
pub(super) unsafe fn tanh<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let c = S::Number::EXP;
        let (magnitude, square, one) = (x.abs(), x.mul(x), S::constant(1.0));
        let near_zero = polynomial(c.tanh_series, square).mul_add(square.mul(x), x);

        let z = S::splat(c.tanh_saturates).min(magnitude).mul(S::constant(-2.0 * std::f64::consts::LOG2_E));
        let n = z.round();
        let f = z.sub(n);
        let y = polynomial(c.power_series, f).mul_add(f, one).mul(n.power_of_two());
        let far = y.mul(one.add(y).reciprocal()).mul_add(S::constant(-2.0), one);
        magnitude.less(S::constant(0.55), near_zero, far).copy_sign(x)
    }
}

/// σ(x) = 1 / (1 + e^{−x}), within 3 units in the last place for |x| ≤ 87 in f32.
#[inline(always)]
pub(super) unsafe fn sigmoid<S: Simd>(x: S) -> S {
    // SAFETY: the caller's instruction set covers S.
    unsafe {
        let zero = S::constant(0.0);
        let y = exp(zero.sub(x.abs()));
        let r = S::constant(1.0).add(y).reciprocal();
        x.less(zero, y.mul(r), r)
    }
}
