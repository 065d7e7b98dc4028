//! The vector trait that abstracts over instruction sets.
//!
//! Every kernel is written once, generic over this trait; `scalar.rs`, `avx2.rs`, `avx512.rs` and `neon.rs`
//! implement its operations. All functions are `inline(always)`: they inherit the instruction set of the
//! `#[target_feature]` function into which they are inlined (see `variant!` in `mod.rs`).

use super::Real;

/// A vector of `LANES` numbers.
///
/// # Safety
/// Every method requires the instruction set of its implementation. The pointers of `load*` and `store*` must
/// be valid for the number of elements that the method moves; they need not be aligned.
pub(super) trait Simd: Copy {
    /// The type of a lane.
    type Number: Real;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of the product's register tile.
    const ROWS: usize;
    /// Vectors in a row of the product's register tile, at most 3. The accumulators, one row of B and one
    /// broadcast number of A must leave one register free; otherwise the compiler adds register moves.
    const VECTORS: usize;

    unsafe fn splat(x: Self::Number) -> Self;
    /// The value nearest to `x` in every lane.
    #[inline(always)]
    unsafe fn constant(x: f64) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::splat(Self::Number::of(x)) }
    }
    unsafe fn load(p: *const Self::Number) -> Self;
    unsafe fn store(self, p: *mut Self::Number);
    /// Loads `n` < `LANES` numbers; the other lanes are zero.
    unsafe fn load_first(p: *const Self::Number, n: usize) -> Self;
    /// Stores the first `n` < `LANES` numbers.
    unsafe fn store_first(self, p: *mut Self::Number, n: usize);
    /// Prefetches the cache line at `p` to the nearest cache. Any address is allowed.
    #[inline(always)]
    unsafe fn prefetch(_: *const Self::Number) {}
    /// Prefetches the cache line at `p` to the second-level cache. Any address is allowed.
    #[inline(always)]
    unsafe fn prefetch_far(_: *const Self::Number) {}

    /// Returns the same pointer but hides its origin from the compiler, which then keeps the pointer
    /// additions as written instead of introducing others.
    #[inline(always)]
    #[allow(clippy::pointers_in_nomem_asm_block, reason = "the pointer is not dereferenced")]
    fn unforeseen(p: *const Self::Number) -> *const Self::Number {
        #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
        let p = {
            let mut p = p;
            // SAFETY: the assembly contains no instruction.
            unsafe {
                std::arch::asm!("/* {0} */", inout(reg) p, options(pure, nomem, nostack, preserves_flags))
            };
            p
        };
        p
    }

    /// The interleaved lanes of both vectors, x₀ y₀ x₁ y₁ …: the first half and the second half.
    unsafe fn interleave(self, y: Self) -> (Self, Self);
    unsafe fn add(self, y: Self) -> Self;
    unsafe fn sub(self, y: Self) -> Self;
    unsafe fn mul(self, y: Self) -> Self;
    unsafe fn div(self, y: Self) -> Self;
    /// Approximates 1 / self with a relative error of at most 2^{-12}, for self > 0 with a normal reciprocal.
    #[inline(always)]
    unsafe fn estimate(self) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::constant(1.0).div(self) }
    }
    /// 1 / self, within one unit in the last place.
    #[inline(always)]
    unsafe fn reciprocal(self) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe { Self::constant(1.0).div(self) }
    }
    /// self / (y + rest), where the rest is below one unit in y's last place; approximately a single
    /// rounding.
    #[inline(always)]
    unsafe fn quotient(self, y: Self, rest: Self) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let r = y.estimate();
            let q = self.mul(r);
            self.minus_product(q, y).minus_product(q, rest).mul_add(r, q)
        }
    }
    /// `self · y + z`, rounded once if the machine has a fused multiply-add.
    unsafe fn mul_add(self, y: Self, z: Self) -> Self;
    /// `self − x · y`, rounded like `mul_add`.
    unsafe fn minus_product(self, x: Self, y: Self) -> Self;
    /// The lanewise maximum; `y` if either is NaN.
    unsafe fn max(self, y: Self) -> Self;
    /// The lanewise minimum; `y` if either is NaN.
    unsafe fn min(self, y: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// `self` with the signs of `sign`.
    unsafe fn copy_sign(self, sign: Self) -> Self;
    /// The nearest integers, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^self`, for integers whose power is a normal number.
    unsafe fn power_of_two(self) -> Self;
    /// The integers n nearest to `self · factor` (either neighbor in a tie), and 2^n, which must be normal
    /// numbers.
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: guaranteed by the caller.
        unsafe {
            let n = self.mul(Self::constant(factor)).round();
            (n, n.power_of_two())
        }
    }
    /// `self · 2^n`, for integers n; the result may be subnormal, 0 or infinite.
    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: guaranteed by the caller.
        unsafe {
            // Two factors, since n may lie outside the exponent range of normal numbers.
            let half = n.mul(Self::constant(0.5)).round();
            self.mul(half.power_of_two()).mul(n.sub(half).power_of_two())
        }
    }
    /// `then` where `self` < `y`; `otherwise` elsewhere, including where either is NaN.
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self;
    /// The sum of the lanes, in an order that the implementation fixes.
    unsafe fn sum(self) -> Self::Number;
    /// The largest lane (unspecified if one is NaN).
    unsafe fn largest(self) -> Self::Number;
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "aarch64")]
    use crate::kernels::neon;
    use crate::kernels::{Isa, scalar, supported};
    #[cfg(target_arch = "x86_64")]
    use crate::kernels::{avx2, avx512};

    #[test]
    fn every_operation_is_what_the_trait_says() {
        for isa in supported() {
            // SAFETY, for every arm: the processor has the instruction set.
            match isa {
                // SAFETY: as above.
                Isa::Scalar => unsafe { check::<scalar::Four<f32>, scalar::Four<f64>>() },
                #[cfg(target_arch = "aarch64")]
                // SAFETY: as above.
                Isa::Neon => unsafe { check::<neon::Lanes4, neon::Lanes2>() },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Isa::Avx2 => unsafe { check::<avx2::Lanes8, avx2::Lanes4>() },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Isa::Avx512 => unsafe { check::<avx512::Lanes16, avx512::Lanes8>() },
                _ => unreachable!("{} has no vectors here", isa.name()),
            }
        }
    }

    unsafe fn check<F: Simd<Number = f32>, D: Simd<Number = f64>>() {
        // SAFETY: the caller guarantees the instruction set of F and D.
        unsafe {
            elementwise::<f32, F>();
            elementwise::<f64, D>();
            whole_vectors::<f32, F>();
            whole_vectors::<f64, D>();
        }
    }

    unsafe fn lanes<R: Real, S: Simd<Number = R>>(v: S) -> Vec<R> {
        let mut lanes = vec![R::zero(); S::LANES];
        // SAFETY: the caller guarantees S's instruction set; the slice has S's length.
        unsafe { v.store(lanes.as_mut_ptr()) };
        lanes
    }

    /// Checks every pair of some numbers, NaN included. The sums and products of the finite ones are exact.
    unsafe fn elementwise<R: Real, S: Simd<Number = R>>() {
        let numbers: Vec<R> =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 2.5, -2.5, 3.5, -0.25, 7.0]
                .map(R::of)
                .to_vec();
        let from =
            |at: usize| -> Vec<R> { numbers.iter().copied().cycle().skip(at).take(S::LANES).collect() };
        for (i, j) in (0..numbers.len()).flat_map(|i| (0..numbers.len()).map(move |j| (i, j))) {
            let (a, b) = (from(i), from(j));
            // SAFETY: the caller guarantees S's instruction set; both slices have S's length.
            unsafe {
                let (x, y) = (S::load(a.as_ptr()), S::load(b.as_ptr()));
                for (k, (&a, &b)) in a.iter().zip(&b).enumerate() {
                    let (smaller, larger) = (if a < b { a } else { b }, if a > b { a } else { b });
                    for (what, got, expected) in [
                        ("add", x.add(y), a + b),
                        ("sub", x.sub(y), a - b),
                        ("mul", x.mul(y), a * b),
                        ("div", x.div(y), a / b),
                        ("mul_add", x.mul_add(y, x), a * b + a),
                        ("minus_product", x.minus_product(x, y), a - a * b),
                        ("max", x.max(y), larger),
                        ("min", x.min(y), smaller),
                        ("abs", x.abs(), a.abs()),
                        ("copy_sign", x.copy_sign(y), a.copysign(b)),
                        ("less", x.less(y, x, y), smaller),
                    ] {
                        let got = lanes(got)[k];
                        let same = got == expected && got.is_sign_negative() == expected.is_sign_negative();
                        assert!(
                            same || got.is_nan() && expected.is_nan(),
                            "{what} of {a} and {b}: {got}, not {expected}"
                        );
                    }
                    let (got, expected) = (lanes(x.round())[k].wide(), a.wide().round_ties_even());
                    assert!(got == expected || got.is_nan() && expected.is_nan(), "{a} rounded: {got}");
                }
            }
        }
    }

    unsafe fn whole_vectors<R: Real, S: Simd<Number = R>>() {
        let count: Vec<R> = (0..S::LANES).map(|i| R::of(i as f64 - 2.0)).collect();
        // SAFETY: the caller guarantees S's instruction set; every slice has the length that is accessed.
        unsafe {
            for n in 0..S::LANES {
                // A copy of exactly n numbers, so that a read beyond them is out of bounds.
                let first = S::load_first(count[..n].to_vec().as_ptr(), n);
                let mut expected = vec![R::zero(); S::LANES];
                expected[..n].copy_from_slice(&count[..n]);
                assert_eq!(lanes(first), expected, "the first {n} loaded");
                let mut stored = vec![R::one(); S::LANES];
                S::load(count.as_ptr()).store_first(stored.as_mut_ptr(), n);
                expected[n..].fill(R::one());
                assert_eq!(stored, expected, "the first {n} stored");
            }
            for most in [-100.0, 5.0, 127.0] {
                let exponents: Vec<f64> = (0..S::LANES).map(|i| most - i as f64).collect();
                let x: Vec<R> = exponents.iter().map(|&n| R::of(n)).collect();
                let got: Vec<f64> =
                    lanes(S::load(x.as_ptr()).power_of_two()).iter().map(|x| x.wide()).collect();
                assert_eq!(got, exponents.iter().map(|&n| libm::ldexp(1.0, n as i32)).collect::<Vec<_>>());
            }
            let (x, last) = (S::load(count.as_ptr()), S::LANES as f64 - 3.0);
            let (low, high) = x.interleave(S::constant(-9.0));
            let turns: Vec<R> = count.iter().flat_map(|&x| [x, R::of(-9.0)]).collect();
            assert_eq!([lanes(low), lanes(high)].concat(), turns, "interleaved lanes");
            assert_eq!(x.sum().wide(), (last - 2.0) * S::LANES as f64 / 2.0);
            assert_eq!(x.largest().wide(), last);
            assert_eq!(lanes(S::constant(0.75)), vec![R::of(0.75); S::LANES]);
        }
    }
}
