//! One vector of numbers, whatever the instruction set.
//!
//! Every kernel is written once, over this trait; `scalar.rs`, `avx2.rs` and `avx512.rs` say what its few
//! operations are on their machine. All functions are `inline(always)`: they take on the instruction set of
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
    /// Rows of the product's register tile: with `VECTORS` columns of vectors, its accumulators, one row of
    /// B and one broadcast number of A fill the register file.
    const ROWS: usize;

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

    unsafe fn add(self, y: Self) -> Self;
    unsafe fn sub(self, y: Self) -> Self;
    unsafe fn mul(self, y: Self) -> Self;
    unsafe fn div(self, y: Self) -> Self;
    /// `self · y + z`, rounded once where the machine has such an instruction.
    unsafe fn mul_add(self, y: Self, z: Self) -> Self;
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
