//! How B comes into panels (see `pack.rs`), once for every instruction set: whole vectors at a time.

use super::simd::Simd;

/// The most lanes of a vector.
const MOST_LANES: usize = 16;

/// How many rows before its turn a row of B is asked for, where they do not follow one another.
const SOON: usize = 16;

/// Writes the panels of B (depth, columns), whose rows lie `row` apart, and of them those that an order names.
///
/// # Safety
/// B has these rows, the order names `depth` of them, and the panels have room for them, each of a panel filled up to whole vectors; the caller has S's
/// instruction set.
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
        // SAFETY: columns `first..first + width` of B; `depth` · `vectors` vectors of the panels.
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

/// A panel of V vectors, the last of which has `last` columns.
#[inline(always)]
unsafe fn lines<S: Simd, const V: usize>(
    b: *const S::Number,
    (depth, row): (usize, usize),
    order: Option<&[usize]>,
    last: usize,
    panel: *mut S::Number,
) {
    for k in 0..depth {
        // SAFETY: the caller's promise; of the last vector only the columns that there are, are read. What is asked for early
        // is a row, too.
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

/// Writes the panels of a B whose columns begin at `starts`.
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
            // SAFETY: `depth` numbers of each of these columns; their vector of each line of the panel.
            unsafe {
                let to = panels.add(i * S::LANES);
                // Squares, of which at the edges some columns, or some numbers of each, are missing.
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
        // SAFETY: the panel's end, at most the panels'.
        panels = unsafe { panels.add(depth * padded) };
    }
}

/// The transpose of a square of as many vectors as each has lanes: to shuffle vector i into vector i + half turns the bits of a
/// number's place, row and column, round by one; as often as a row's number has bits, and rows are columns.
#[inline(always)]
unsafe fn transpose<S: Simd>(mut square: [S; MOST_LANES]) -> [S; MOST_LANES] {
    let half = S::LANES / 2;
    let mut done = 1;
    while done < S::LANES {
        let before = square;
        for i in 0..half {
            // SAFETY: the caller has the instruction set.
            (square[2 * i], square[2 * i + 1]) = unsafe { before[i].interleave(before[i + half]) };
        }
        done *= 2;
    }
    square
}
