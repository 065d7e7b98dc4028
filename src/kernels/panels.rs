//! The packing of B into panels (see `pack.rs`), in whole vectors, written once for all instruction sets.

use super::simd::Simd;

/// The largest number of lanes of a vector.
const MOST_LANES: usize = 16;

/// Prefetch distance in rows, for rows of B in a given order.
const SOON: usize = 16;

/// Writes the panels of B (depth, columns) with row stride `row`; an order, if given, selects the rows.
///
/// # Safety
/// B must have these rows, and an order must name `depth` of them. The panels must have room for the rows,
/// each panel padded to whole vectors. The processor must have S's instruction set.
#[inline(always)]
pub(super) unsafe fn pack<S: Simd>(
    b: *const S::Number,
    (depth, row): (usize, usize),
    order: Option<&[usize]>,
    columns: usize,
    mut panels: *mut S::Number,
) {
    let wide = S::VECTORS * S::LANES;
    for first in (0..columns).step_by(wide) {
        let width = (columns - first).min(wide);
        let vectors = width.div_ceil(S::LANES);
        let last = width - (vectors - 1) * S::LANES;
        // SAFETY: the pointers stay within columns `first..first + width` of B and `depth` · `vectors`
        // vectors of the panels.
        unsafe {
            let b = b.add(first);
            match vectors {
                1 => lines::<S, 1>(b, (depth, row), order, last, panels),
                2 => lines::<S, 2>(b, (depth, row), order, last, panels),
                _ => lines::<S, 3>(b, (depth, row), order, last, panels),
            }
            panels = panels.add(depth * vectors * S::LANES);
        }
    }
}

/// Writes a panel of V vectors, the last of which has `last` columns.
#[inline(always)]
unsafe fn lines<S: Simd, const V: usize>(
    b: *const S::Number,
    (depth, row): (usize, usize),
    order: Option<&[usize]>,
    last: usize,
    panel: *mut S::Number,
) {
    for k in 0..depth {
        // SAFETY: guaranteed by the caller; of the last vector, only the `last` columns of B are read. The
        // prefetched address is that of a row of B, too.
        unsafe {
            let mut begin = b.add(k * row);
            if let Some(order) = order {
                begin = b.add(order[k] * row);
                let soon = b.add(order[(k + SOON).min(depth - 1)] * row);
                for j in 0..V {
                    S::prefetch(soon.add(j * S::LANES));
                }
            }
            for j in 0..V {
                let from = begin.add(j * S::LANES);
                let whole = j + 1 < V || last == S::LANES;
                let vector = if whole { S::load(from) } else { S::load_first(from, last) };
                vector.store(panel.add((k * V + j) * S::LANES));
            }
        }
    }
}

/// Writes the panels of a B whose columns are contiguous and start at `starts`.
///
/// # Safety
/// As [`pack`].
#[inline(always)]
pub(super) unsafe fn pack_transposed<S: Simd>(
    b: *const S::Number,
    depth: usize,
    starts: &[usize],
    mut panels: *mut S::Number,
) {
    for starts in starts.chunks(S::VECTORS * S::LANES) {
        let padded = starts.len().next_multiple_of(S::LANES);
        for (i, columns) in starts.chunks(S::LANES).enumerate() {
            // SAFETY: the pointers stay within the `depth` numbers of each of these columns, and within their
            // vector in each row of the panel.
            unsafe {
                let to = panels.add(i * S::LANES);
                // Transpose square blocks; at the edges, a block has fewer columns or fewer rows.
                for k in (0..depth).step_by(S::LANES) {
                    let count = (depth - k).min(S::LANES);
                    let mut square = [S::constant(0.0); MOST_LANES];
                    for (vector, &start) in square.iter_mut().zip(columns) {
                        let from = b.add(start + k);
                        *vector = if count == S::LANES { S::load(from) } else { S::load_first(from, count) };
                    }
                    let square = transpose(square);
                    for (line, vector) in square.iter().enumerate().take(count) {
                        vector.store(to.add((k + line) * padded));
                    }
                }
            }
        }
        // SAFETY: the end of the panel is at most the end of the panels.
        panels = unsafe { panels.add(depth * padded) };
    }
}

/// Transposes a square of `LANES` vectors. Interleaving vector i with vector i + half rotates the bits of
/// each number's index (row, then column) by one position. After as many rotations as a row index has bits,
/// rows and columns have exchanged places.
#[inline(always)]
unsafe fn transpose<S: Simd>(mut square: [S; MOST_LANES]) -> [S; MOST_LANES] {
    let half = S::LANES / 2;
    let mut done = 1;
    while done < S::LANES {
        let before = square;
        for i in 0..half {
            // SAFETY: the caller guarantees S's instruction set.
            (square[2 * i], square[2 * i + 1]) = unsafe { before[i].interleave(before[i + half]) };
        }
        done *= 2;
    }
    square
}
