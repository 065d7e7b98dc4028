//! One vector of numbers, whatever the instruction set.
//!
//! Every kernel is written once, over this trait; `scalar.rs`, `avx2.rs`, `avx512.rs` and `neon.rs` say what its
//! few operations are on their machine. All functions are `inline(always)`: they take on the instruction set of
//! the `#[target_feature]` function into which they are expanded (see `variant!` in `mod.rs`).

use super::Real;

/// A vector of `LANES` numbers.
///
/// # Safety
/// Every method needs the instruction set of its implementation; the pointers of `load*` and `store*` must be valid
/// for as many numbers as the method moves (no alignment is needed).
pub(super) trait Simd: Copy {
    /// The number in a lane.
    type Number: Real;
    /// Numbers in a vector.
    const LANES: usize;
    /// Rows of the product's register tile.
    const ROWS: usize;
    /// Columns of vectors of the tile, at most 3: its accumulators, one row of B and one broadcast number of A must leave the
    /// compiler a register to spare, or it moves them about.
    const VECTORS: usize;

    unsafe fn splat(x: Self::Number) -> Self;
    /// The number of this type nearest to `x`, in every lane.
    #[inline(always)]
    unsafe fn constant(x: f64) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::splat(Self::Number::of(x)) }
    }
    unsafe fn load(p: *const Self::Number) -> Self;
    unsafe fn store(self, p: *mut Self::Number);
    /// Loads `n` < `LANES` numbers; the other lanes are zero.
    unsafe fn load_first(p: *const Self::Number, n: usize) -> Self;
    /// Stores the first `n` < `LANES` numbers.
    unsafe fn store_first(self, p: *mut Self::Number, n: usize);
    /// Says that the number there, if there is one, will soon be needed.
    #[inline(always)]
    unsafe fn prefetch(_: *const Self::Number) {}
    /// The same, but not so soon.
    #[inline(always)]
    unsafe fn prefetch_far(_: *const Self::Number) {}

    /// The same place, of which the compiler no longer knows how it was come by: so it keeps to the additions that are written
    /// here, and makes no others in their stead.
    #[inline(always)]
    #[allow(clippy::pointers_in_nomem_asm_block, reason = "what it points to is neither read nor written")]
    fn unforeseen(p: *const Self::Number) -> *const Self::Number {
        #[cfg(all(any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
        let p = {
            let mut p = p;
            // SAFETY: no instruction at all.
            unsafe {
                std::arch::asm!("/* {0} */", inout(reg) p, options(pure, nomem, nostack, preserves_flags))
            };
            p
        };
        p
    }

    /// The lanes of both in turn, x₀ y₀ x₁ y₁ …: the first half and the second.
    unsafe fn interleave(self, y: Self) -> (Self, Self);
    unsafe fn add(self, y: Self) -> Self;
    unsafe fn sub(self, y: Self) -> Self;
    unsafe fn mul(self, y: Self) -> Self;
    unsafe fn div(self, y: Self) -> Self;
    /// About 1 / self, for 0 < self with a normal reciprocal: within 2^{-12} of it.
    #[inline(always)]
    unsafe fn estimate(self) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::constant(1.0).div(self) }
    }
    /// 1 / self, within a unit in the last place.
    #[inline(always)]
    unsafe fn reciprocal(self) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe { Self::constant(1.0).div(self) }
    }
    /// self / (y + rest), with a rest that is below a unit in y's last place: rounded about once.
    #[inline(always)]
    unsafe fn quotient(self, y: Self, rest: Self) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            let r = y.estimate();
            let q = self.mul(r);
            self.minus_product(q, y).minus_product(q, rest).mul_add(r, q)
        }
    }
    /// `self · y + z`, rounded once where the machine has such an instruction.
    unsafe fn mul_add(self, y: Self, z: Self) -> Self;
    /// `self − x · y`, likewise.
    unsafe fn minus_product(self, x: Self, y: Self) -> Self;
    /// The larger one; `y` where either is NaN.
    unsafe fn max(self, y: Self) -> Self;
    /// The smaller one; `y` where either is NaN.
    unsafe fn min(self, y: Self) -> Self;
    unsafe fn abs(self) -> Self;
    /// `self` with the signs of `sign`.
    unsafe fn copy_sign(self, sign: Self) -> Self;
    /// The nearest whole numbers, ties to even.
    unsafe fn round(self) -> Self;
    /// `2^self` for whole numbers whose power is a normal number.
    unsafe fn power_of_two(self) -> Self;
    /// The whole numbers n nearest to `self · factor` (to one of both where two are as near), and 2^n, which must be normal
    /// numbers.
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            let n = self.mul(Self::constant(factor)).round();
            (n, n.power_of_two())
        }
    }
    /// `self · 2^n` for whole numbers n, also where the result is subnormal, 0 or infinite.
    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: the caller's promise, passed on.
        unsafe {
            // Two factors, since n itself may be outside the exponents of normal numbers.
            let half = n.mul(Self::constant(0.5)).round();
            self.mul(half.power_of_two()).mul(n.sub(half).power_of_two())
        }
    }
    /// `then` where `self` < `y`, else (and where either is NaN) `otherwise`.
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self;
    /// The sum of the lanes, in an order that is fixed for the implementation.
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
            // SAFETY, for every arm: this processor has the instruction set.
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
        // SAFETY: the caller has F's and D's instruction set.
        unsafe {
            elementwise::<f32, F>();
            elementwise::<f64, D>();
            whole_vectors::<f32, F>();
            whole_vectors::<f64, D>();
        }
    }

    unsafe fn lanes<R: Real, S: Simd<Number = R>>(v: S) -> Vec<R> {
        let mut lanes = vec![R::zero(); S::LANES];
        // SAFETY: the caller has S's instruction set; the vector is as long as S.
        unsafe { v.store(lanes.as_mut_ptr()) };
        lanes
    }

    /// Every pair of some numbers, with NaN among them; the finite ones so round that sums and products are exact.
    unsafe fn elementwise<R: Real, S: Simd<Number = R>>() {
        let numbers: Vec<R> =
            [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.0, -0.0, 2.5, -2.5, 3.5, -0.25, 7.0]
                .map(R::of)
                .to_vec();
        let from =
            |at: usize| -> Vec<R> { numbers.iter().copied().cycle().skip(at).take(S::LANES).collect() };
        for (i, j) in (0..numbers.len()).flat_map(|i| (0..numbers.len()).map(move |j| (i, j))) {
            let (a, b) = (from(i), from(j));
            // SAFETY: the caller has S's instruction set; both vectors are as long as S.
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
        // SAFETY: the caller has S's instruction set; the vectors reach as far as is said.
        unsafe {
            for n in 0..S::LANES {
                // A copy of n numbers: what is read beyond them is not the vector's.
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
            assert_eq!([lanes(low), lanes(high)].concat(), turns, "the lanes of two vectors in turn");
            assert_eq!(x.sum().wide(), (last - 2.0) * S::LANES as f64 / 2.0);
            assert_eq!(x.largest().wide(), last);
            assert_eq!(lanes(S::constant(0.75)), vec![R::of(0.75); S::LANES]);
        }
    }
}
