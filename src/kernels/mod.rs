//! The kernels: everything that is `unsafe` or knows an instruction set, behind safe functions.
//!
//! `simd.rs` says what a vector can do; `scalar.rs`, `avx2.rs`, `avx512.rs`, `neon.rs` implement it; `generic.rs` and
//! `math.rs` hold each kernel's body once; `pack.rs` lays matrices out for the product. The instruction set is chosen
//! at run time, once, from what the processor has; the variable `RNNRS_ISA` (`scalar`, `neon`, `avx2`, `avx512`) forces
//! another.

#![allow(unsafe_code)]

mod activation;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod generic;
mod isa;
mod math;
mod memory;
#[cfg(target_arch = "aarch64")]
mod neon;
mod pack;
mod real;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;

pub use activation::{Activation, activate, differentiate, exponentials};
pub use isa::{Isa, instruction_set, supported};
pub(crate) use memory::zeroed;
pub use pack::{AlignedVec, Packed, Rows, RowsMut, Start, accumulate_transposed};
pub use real::Real;

/// One number type's kernels for one instruction set.
pub struct Kernels<R: 'static> {
    /// For which instruction set.
    #[cfg_attr(not(test), expect(dead_code, reason = "the tests ask which variant they ran"))]
    isa: Isa,
    /// Numbers in a vector.
    lanes: usize,
    /// Rows of the product's register tile.
    rows: usize,
    product: unsafe fn(&generic::Product<R>),
    activate: unsafe fn(Activation, &mut [R]),
    differentiate: unsafe fn(Activation, &[R], &mut [R]),
    exponentials: unsafe fn(&mut [R]) -> (R, R),
}

/// Defines the table of kernels of one vector type: each body of `generic.rs`, compiled for its instruction set.
macro_rules! variant {
    ($table:ident, $vector:ty, $number:ty, $isa:expr $(, $features:literal)?) => {
        pub(super) static $table: crate::kernels::Kernels<$number> = {
            use crate::kernels::{Activation, generic};
            use crate::kernels::simd::Simd as _;

            // SAFETY, for the four functions: `isa::kernels` hands this table out only where the processor has
            // the features; the rest is the promise of the bodies, which the safe wrappers keep.
            $(#[target_feature(enable = $features)])?
            unsafe fn product(p: &generic::Product<$number>) {
                // SAFETY: as above.
                unsafe { generic::product::<$vector>(p) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn activate(activation: Activation, a: &mut [$number]) {
                // SAFETY: as above.
                unsafe { generic::activate::<$vector>(activation, a) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn differentiate(activation: Activation, h: &[$number], dh: &mut [$number]) {
                // SAFETY: as above.
                unsafe { generic::differentiate::<$vector>(activation, h, dh) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn exponentials(x: &mut [$number]) -> ($number, $number) {
                // SAFETY: as above.
                unsafe { generic::exponentials::<$vector>(x) }
            }
            crate::kernels::Kernels {
                isa: $isa,
                lanes: <$vector>::LANES,
                rows: <$vector>::ROWS,
                product,
                activate,
                differentiate,
                exponentials,
            }
        };
    };
}
use variant;
