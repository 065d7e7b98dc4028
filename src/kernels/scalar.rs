//! The portable vector: four numbers in plain Rust. The fallback on every machine, and the reference for the
//! other instruction sets.

use super::simd::Simd;
use super::{Isa, Real, variant};

/// Four numbers; the compiler may use any instruction of the target's baseline.
#[derive(Clone, Copy)]
pub(super) struct Four<R>([R; 4]);

impl<R: Real> Four<R> {
    #[inline(always)]
    fn map(self, f: impl Fn(R) -> R) -> Self {
        Four(self.0.map(f))
    }

    #[inline(always)]
    fn zip(self, y: Self, f: impl Fn(R, R) -> R) -> Self {
        Four(std::array::from_fn(|i| f(self.0[i], y.0[i])))
    }
}

impl<R: Real> Simd for Four<R> {
    type Number = R;
    const LANES: usize = 4;
    const ROWS: usize = 4;
    const VECTORS: usize = 2;

    #[inline(always)]
    unsafe fn splat(x: R) -> Self {
        Four([x; 4])
    }
    #[inline(always)]
    unsafe fn load(p: *const R) -> Self {
        // SAFETY: the caller guarantees four readable numbers; arrays have no padding.
        Four(unsafe { p.cast::<[R; 4]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut R) {
        // SAFETY: the caller guarantees four writable numbers.
        unsafe { p.cast::<[R; 4]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const R, n: usize) -> Self {
        let mut lanes = [R::zero(); 4];
        for (i, lane) in lanes.iter_mut().enumerate().take(n) {
            // SAFETY: the caller guarantees n readable numbers.
            *lane = unsafe { *p.add(i) };
        }
        Four(lanes)
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut R, n: usize) {
        for (i, lane) in self.0.iter().enumerate().take(n) {
            // SAFETY: the caller guarantees n writable numbers.
            unsafe { *p.add(i) = *lane };
        }
    }
    #[inline(always)]
    unsafe fn interleave(self, y: Self) -> (Self, Self) {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, y.0);
        (Four([a, e, b, f]), Four([c, g, d, h]))
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        self.zip(y, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        self.zip(y, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        self.zip(y, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        self.zip(y, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // Not `f32::mul_add`: without a fused multiply-add instruction, that calls the C library for every
        // number.
        Four(std::array::from_fn(|i| self.0[i] * y.0[i] + z.0[i]))
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        Four(std::array::from_fn(|i| self.0[i] - x.0[i] * y.0[i]))
    }
    // Divides in f64: without a fused multiply-add, the rounding error of a product cannot be recovered.
    #[inline(always)]
    unsafe fn quotient(self, y: Self, rest: Self) -> Self {
        Four(std::array::from_fn(|i| R::of(self.0[i].wide() / (y.0[i].wide() + rest.0[i].wide()))))
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        self.zip(y, |a, b| if a > b { a } else { b })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        self.zip(y, |a, b| if a < b { a } else { b })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        self.map(R::abs)
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        self.zip(sign, R::copysign)
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        self.map(R::round_to_even)
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        self.map(R::power_of_two)
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        Four(std::array::from_fn(|i| if self.0[i] < y.0[i] { then.0[i] } else { otherwise.0[i] }))
    }
    #[inline(always)]
    unsafe fn sum(self) -> R {
        (self.0[0] + self.0[2]) + (self.0[1] + self.0[3])
    }
    #[inline(always)]
    unsafe fn largest(self) -> R {
        self.0.into_iter().fold(R::neg_infinity(), R::max)
    }
}

variant!(F32, run_f32, Four<f32>, f32, Isa::Scalar);
variant!(F64, run_f64, Four<f64>, f64, Isa::Scalar);
