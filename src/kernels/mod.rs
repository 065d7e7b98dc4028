//! The kernels: all `unsafe` code, and everything specific to an instruction set, behind safe functions.
//!
//! `simd.rs` defines the vector operations; `scalar.rs`, `avx2.rs`, `avx512.rs` and `neon.rs` implement them.
//! `generic.rs`, `row.rs`, `panels.rs` and `math.rs` hold each kernel's body, written once. `pack.rs` packs
//! matrices for the product; `outer.rs` computes sums of outer products.
//!
//! The instruction set is chosen once, at run time: the best one that the processor has. The environment
//! variable `RNNRS_ISA` (`scalar`, `neon`, `avx2`, `avx512`) overrides the choice.

#![allow(unsafe_code)]

mod activation;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bfloat16;
pub mod cell;
mod generic;
mod isa;
mod lines;
mod math;
mod memory;
#[cfg(target_arch = "aarch64")]
mod neon;
mod noise;
mod norm;
mod outer;
mod pack;
mod panels;
mod processor;
mod real;
mod row;
mod scalar;
mod simd;
#[cfg(test)]
mod tests;
mod update;
mod windows;

pub use activation::{Activation, activate, column_exponentials, differentiate, exponentials, scale_shift};
pub use bfloat16::{from_bfloat16, to_bfloat16};
pub use isa::{Isa, instruction_set, supported};
pub use lines::Lines;
pub use memory::{Recycler, prefetch};
pub(crate) use memory::{scratch, zeroed};
pub use noise::{Place, bernoulli};
pub use norm::{Norm, differentiate_norm, normalize};
pub use outer::accumulate_transposed;
pub use pack::{AlignedVec, Packed, Rows, RowsMut, Start};
pub(crate) use processor::{Processors, thread_time};
pub use real::Real;
pub(crate) use update::Update;
pub use windows::{Steps, Windows};

/// (B, (depth, row stride), row order, columns, panels)
type PackKernel<R> = unsafe fn(*const R, (usize, usize), Option<&[usize]>, usize, *mut R);
/// (rule, scale, p, g, optimizer state)
type UpdateKernel<R> = unsafe fn(&Update<R>, R, &mut [R], &[R], [&mut [R]; 2]);

/// The kernels of one number type for one instruction set.
pub struct Kernels<R: 'static> {
    /// The instruction set.
    isa: Isa,
    /// Numbers in a vector.
    lanes: usize,
    /// Rows of the product's register tile.
    rows: usize,
    /// Columns of the register tile, and thus of a panel of B.
    panel: usize,
    product: unsafe fn(&generic::Product<R>),
    /// The product of up to `few` rows.
    row: unsafe fn(&generic::Product<R>),
    few: usize,
    pack: PackKernel<R>,
    pack_transposed: unsafe fn(*const R, usize, &[usize], *mut R),
    activate: unsafe fn(Activation, &mut [R]),
    differentiate: unsafe fn(Activation, &[R], &mut [R]),
    exponentials: unsafe fn(&mut [R]) -> (R, R),
    column_exponentials: unsafe fn(&mut [R], usize, &mut [R], &mut [R]),
    scale_shift: unsafe fn(&mut [R], &[R], &[R]) -> R,
    update: UpdateKernel<R>,
    squares: unsafe fn(&[R]) -> f64,
    scale: unsafe fn(R, &mut [R]),
}

/// Defines the kernel table of one vector type: each kernel's body compiled for the vector's instruction set.
/// Also defines the function that runs a [`cell::Task`] compiled for that instruction set.
macro_rules! variant {
    ($table:ident, $run:ident, $vector:ty, $number:ty, $isa:expr $(, $features:literal)?) => {
        // SAFETY: the caller guarantees that the processor has the features and meets the task's contract.
        $(#[target_feature(enable = $features)])?
        pub(super) unsafe fn $run<T: crate::kernels::cell::Task<$number>>(task: T) {
            // SAFETY: as above.
            unsafe { task.run::<$vector>() }
        }
        pub(super) static $table: crate::kernels::Kernels<$number> = {
            use crate::kernels::{Activation, Update, generic, panels, row, update};
            use crate::kernels::simd::Simd as _;

            // SAFETY, for all of these functions: this table is used only if the processor has the features
            // (see `isa.rs`). The safe wrappers meet the remaining requirements of the bodies.
            $(#[target_feature(enable = $features)])?
            unsafe fn product(p: &generic::Product<$number>) {
                // SAFETY: as above.
                unsafe { generic::product::<$vector>(p) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn row_product(p: &generic::Product<$number>) {
                // SAFETY: as above.
                unsafe { row::product::<$vector>(p) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn pack(
                b: *const $number,
                rows: (usize, usize),
                order: Option<&[usize]>,
                columns: usize,
                to: *mut $number,
            ) {
                // SAFETY: as above.
                unsafe { panels::pack::<$vector>(b, rows, order, columns, to) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn pack_transposed(b: *const $number, depth: usize, starts: &[usize], to: *mut $number) {
                // SAFETY: as above.
                unsafe { panels::pack_transposed::<$vector>(b, depth, starts, to) }
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
            $(#[target_feature(enable = $features)])?
            unsafe fn column_exponentials(
                x: &mut [$number],
                columns: usize,
                most: &mut [$number],
                sums: &mut [$number],
            ) {
                // SAFETY: as above.
                unsafe { generic::column_exponentials::<$vector>(x, columns, most, sums) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn scale_shift(x: &mut [$number], factor: &[$number], shift: &[$number]) -> $number {
                // SAFETY: as above.
                unsafe { generic::scale_shift::<$vector>(x, factor, shift) }
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn update(
                rule: &Update<$number>,
                scale: $number,
                p: &mut [$number],
                g: &[$number],
                kept: [&mut [$number]; 2],
            ) {
                update::update(rule, scale, p, g, kept);
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn squares(g: &[$number]) -> f64 {
                update::squares(g)
            }
            $(#[target_feature(enable = $features)])?
            unsafe fn scale(factor: $number, g: &mut [$number]) {
                update::scale(factor, g);
            }
            crate::kernels::Kernels {
                isa: $isa,
                lanes: <$vector>::LANES,
                rows: <$vector>::ROWS,
                panel: <$vector>::VECTORS * <$vector>::LANES,
                product,
                row: row_product,
                few: row::most_rows::<$vector>(),
                pack,
                pack_transposed,
                activate,
                differentiate,
                exponentials,
                column_exponentials,
                scale_shift,
                update,
                squares,
                scale,
            }
        };
    };
}
use variant;

/// Runs one pass of an optimizer over the parameters p with gradients g, multiplied by `scale`. `kept` holds
/// the rule's state vectors; those that the rule does not use are empty.
pub(crate) fn apply<R: Real>(rule: &Update<R>, scale: R, p: &mut [R], g: &[R], kept: [&mut [R]; 2]) {
    let (n, needed) = (p.len(), rule.kept());
    let fits = |i: usize| kept[i].len() == if i < needed { n } else { 0 };
    assert!(g.len() == n && fits(0) && fits(1), "sizes do not match");
    // SAFETY: the processor has the instruction set of the table in use.
    unsafe { (R::kernels().update)(rule, scale, p, g, kept) }
}

/// Returns Σ g², in f64.
pub(crate) fn squares<R: Real>(g: &[R]) -> f64 {
    // SAFETY: the processor has the instruction set of the table in use.
    unsafe { (R::kernels().squares)(g) }
}

/// Computes g ← factor g in place.
pub(crate) fn scale<R: Real>(factor: R, g: &mut [R]) {
    // SAFETY: the processor has the instruction set of the table in use.
    unsafe { (R::kernels().scale)(factor, g) }
}
