//! The product of a few rows, computed on several panels of B side by side.
//!
//! A multiply-add has a latency of four cycles, and two start per cycle, so eight independent sums must be in
//! flight. A register tile of one row has only as many sums as a panel has vectors; therefore few rows use
//! several panels at a time. Each sum is the same chain of multiply-adds as in `generic.rs`.

use super::generic::Product;
use super::simd::Simd;

/// Fewest independent sums that keep the multiply-adds busy.
const SUMS: usize = 8;

/// Returns the largest number of rows whose register tile has too few sums.
pub(super) const fn most_rows<S: Simd>() -> usize {
    (SUMS - 1) / S::VECTORS
}

/// Computes a [`Product`] of one line, one run and up to [`most_rows`] rows.
///
/// # Safety
/// As for [`super::generic::product`].
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(p: &Product<S::Number>) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match p.rows {
            0 => {}
            1 => rows::<S, 1>(p),
            2 => rows::<S, 2>(p),
            _ => rows::<S, 3>(p),
        }
    }
}

/// Returns the largest number of panels computed side by side with M rows.
///
/// With two vectors in a panel, a processor has sixteen registers: enough for twelve sums, the numbers of A
/// and a vector of B.
const fn most_panels<S: Simd, const M: usize>() -> usize {
    match (S::VECTORS, M) {
        (2, 1) => 4,
        (2, 3) => 2,
        _ => 3,
    }
}

/// [`product`] of M rows.
#[inline(always)]
unsafe fn rows<S: Simd, const M: usize>(p: &Product<S::Number>) {
    let width = S::VECTORS * S::LANES;
    let panels = p.columns.div_ceil(width);
    let groups = panels.div_ceil(const { most_panels::<S, M>() });
    // Equal groups: one panel by itself would have too few sums.
    let panels = panels.div_ceil(groups.max(1));
    let groups = p.columns.div_ceil(panels.max(1) * width);
    for i in 0..groups {
        let column = if p.backwards { groups - 1 - i } else { i } * panels * width;
        let columns = (p.columns - column).min(panels * width);
        let whole = (columns - 1) / width;
        let vectors = (columns - whole * width).div_ceil(S::LANES);
        // SAFETY: `column` is a column of C, and its panel starts after `column` · depth packed numbers.
        unsafe {
            let group = Group {
                depth: p.depth,
                a: p.a,
                a_row: p.a_row,
                a_column: p.a_column,
                b: p.b.add(column * p.depth),
                panel: width * p.depth,
                start: if p.start.is_null() { p.start } else { p.start.add(column * p.start_column) },
                start_row: p.start_row,
                start_column: p.start_column,
                c: p.c.add(column),
                c_row: p.c_row,
                last: columns - whole * width - (vectors - 1) * S::LANES,
            };
            match whole {
                0 => group_of::<S, M, 0>(&group, vectors),
                1 => group_of::<S, M, 1>(&group, vectors),
                3 if const { most_panels::<S, M>() } > 3 => group_of::<S, M, 3>(&group, vectors),
                _ => group_of::<S, M, 2>(&group, vectors),
            }
        }
    }
}

/// Some columns of C and the inputs from which they are computed.
struct Group<R> {
    depth: usize,
    a: *const R,
    a_row: usize,
    a_column: usize,
    /// The first panel of B, and the distance to the next panel.
    b: *const R,
    panel: usize,
    start: *const R,
    start_row: usize,
    start_column: usize,
    c: *mut R,
    c_row: usize,
    /// Lanes of the last vector that are columns of C.
    last: usize,
}

#[inline(always)]
unsafe fn group_of<S: Simd, const M: usize, const P: usize>(g: &Group<S::Number>, vectors: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match (S::VECTORS, vectors) {
            (2, 1) => panels::<S, M, P, 2, 1>(g),
            (2, _) => panels::<S, M, P, 2, 2>(g),
            (_, 1) => panels::<S, M, P, 3, 1>(g),
            (_, 2) => panels::<S, M, P, 3, 2>(g),
            _ => panels::<S, M, P, 3, 3>(g),
        }
    }
}

/// Computes M rows of P panels of V vectors and one panel of L vectors.
#[inline(always)]
unsafe fn panels<S: Simd, const M: usize, const P: usize, const V: usize, const L: usize>(
    g: &Group<S::Number>,
) {
    // SAFETY: guaranteed by the contract of `product`; of the last vector, only the first `last` lanes access
    // C.
    unsafe {
        // The index of the vector with only some lanes in use, if there is one.
        let partial = if g.last == S::LANES { usize::MAX } else { P * V + L - 1 };
        let mut sums = [[[S::constant(0.0); V]; P]; M];
        let mut rest = [[S::constant(0.0); L]; M];
        if !g.start.is_null() {
            for (r, (sums, rest)) in sums.iter_mut().zip(&mut rest).enumerate() {
                for (j, sum) in sums.as_flattened_mut().iter_mut().chain(rest).enumerate() {
                    let start = g.start.add(r * g.start_row + j * S::LANES * g.start_column);
                    *sum = match g.start_column {
                        0 => S::splat(*start),
                        _ if j == partial => S::load_first(start, g.last),
                        _ => S::load(start),
                    };
                }
            }
        }
        // Copies, here and below: an array that is accessed as a slice stays in memory, not in registers.
        let (mut sums, mut rest) = (sums, rest);
        let (mut a, mut b, mut b_rest) = (g.a, g.b, g.b.add(P * g.panel));
        for _ in 0..g.depth {
            let mut x = [S::constant(0.0); M];
            for (r, x) in x.iter_mut().enumerate() {
                *x = S::splat(*a.add(r * g.a_row));
            }
            for i in 0..P {
                for j in 0..V {
                    let y = S::load(b.add(i * g.panel + j * S::LANES));
                    for (x, row) in x.iter().zip(&mut sums) {
                        row[i][j] = x.mul_add(y, row[i][j]);
                    }
                }
            }
            for j in 0..L {
                let y = S::load(b_rest.add(j * S::LANES));
                for (x, row) in x.iter().zip(&mut rest) {
                    row[j] = x.mul_add(y, row[j]);
                }
            }
            // After the last step, the pointer may be outside A; it is not read there.
            a = a.wrapping_add(g.a_column);
            b = b.add(V * S::LANES);
            b_rest = b_rest.add(L * S::LANES);
        }
        let (done, done_rest) = (sums, rest);
        for (r, (sums, rest)) in done.iter().zip(&done_rest).enumerate() {
            for (j, sum) in sums.as_flattened().iter().chain(rest).enumerate() {
                let c = g.c.add(r * g.c_row + j * S::LANES);
                if j == partial { sum.store_first(c, g.last) } else { sum.store(c) }
            }
        }
    }
}
