//! The product of one row, computed on several panels of B side by side.
//!
//! A multiply-add has a latency of four cycles, and two start per cycle, so eight independent sums must be in
//! flight. A register tile of one row has only as many sums as a panel has vectors; therefore a single row
//! uses up to three panels at a time. Each sum is the same chain of multiply-adds as in `generic.rs`.

use super::generic::Product;
use super::simd::Simd;

/// Largest number of panels at a time.
const PANELS: usize = 3;

/// Computes a [`Product`] of one line, one row and one run.
///
/// # Safety
/// As for [`super::generic::product`].
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(p: &Product<S::Number>) {
    let width = S::VECTORS * S::LANES;
    let groups = p.columns.div_ceil(PANELS * width);
    for i in 0..groups {
        let column = if p.backwards { groups - 1 - i } else { i } * PANELS * width;
        let columns = (p.columns - column).min(PANELS * width);
        let whole = (columns - 1) / width;
        let vectors = (columns - whole * width).div_ceil(S::LANES);
        // SAFETY: `column` is a column of C, and its panel starts after `column` · depth packed numbers.
        unsafe {
            let group = Group {
                depth: p.depth,
                a: p.a,
                a_column: p.a_column,
                b: p.b.add(column * p.depth),
                panel: width * p.depth,
                start: if p.start.is_null() { p.start } else { p.start.add(column * p.start_column) },
                start_column: p.start_column,
                c: p.c.add(column),
                last: columns - whole * width - (vectors - 1) * S::LANES,
            };
            match whole {
                0 => group_of::<S, 0>(&group, vectors),
                1 => group_of::<S, 1>(&group, vectors),
                _ => group_of::<S, 2>(&group, vectors),
            }
        }
    }
}

/// Some columns of C and the inputs from which they are computed.
struct Group<R> {
    depth: usize,
    a: *const R,
    a_column: usize,
    /// The first panel of B, and the distance to the next panel.
    b: *const R,
    panel: usize,
    start: *const R,
    start_column: usize,
    c: *mut R,
    /// Lanes of the last vector that are columns of C.
    last: usize,
}

#[inline(always)]
unsafe fn group_of<S: Simd, const P: usize>(g: &Group<S::Number>, vectors: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match (S::VECTORS, vectors) {
            (2, 1) => panels::<S, P, 2, 1>(g),
            (2, _) => panels::<S, P, 2, 2>(g),
            (_, 1) => panels::<S, P, 3, 1>(g),
            (_, 2) => panels::<S, P, 3, 2>(g),
            _ => panels::<S, P, 3, 3>(g),
        }
    }
}

/// Computes P panels of V vectors and one panel of L vectors.
#[inline(always)]
unsafe fn panels<S: Simd, const P: usize, const V: usize, const L: usize>(g: &Group<S::Number>) {
    // SAFETY: guaranteed by the contract of `product`; of the last vector, only the first `last` lanes access
    // C.
    unsafe {
        // The index of the vector with only some lanes in use, if there is one.
        let partial = if g.last == S::LANES { usize::MAX } else { P * V + L - 1 };
        let mut sums = [[S::constant(0.0); V]; P];
        let mut rest = [S::constant(0.0); L];
        if !g.start.is_null() {
            for (j, sum) in sums.as_flattened_mut().iter_mut().chain(&mut rest).enumerate() {
                let start = g.start.add(j * S::LANES * g.start_column);
                *sum = match g.start_column {
                    0 => S::splat(*start),
                    _ if j == partial => S::load_first(start, g.last),
                    _ => S::load(start),
                };
            }
        }
        let (mut a, mut b, mut b_rest) = (g.a, g.b, g.b.add(P * g.panel));
        for _ in 0..g.depth {
            let x = S::splat(*a);
            for (i, row) in sums.iter_mut().enumerate() {
                for (j, sum) in row.iter_mut().enumerate() {
                    *sum = x.mul_add(S::load(b.add(i * g.panel + j * S::LANES)), *sum);
                }
            }
            for (j, sum) in rest.iter_mut().enumerate() {
                *sum = x.mul_add(S::load(b_rest.add(j * S::LANES)), *sum);
            }
            // After the last step, the pointer may be outside A; it is not read there.
            a = a.wrapping_add(g.a_column);
            b = b.add(V * S::LANES);
            b_rest = b_rest.add(L * S::LANES);
        }
        for (j, sum) in sums.as_flattened().iter().chain(&rest).enumerate() {
            let c = g.c.add(j * S::LANES);
            if j == partial { sum.store_first(c, g.last) } else { sum.store(c) }
        }
    }
}
