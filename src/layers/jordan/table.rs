//! The term that each token adds to a when it is fed back: row `token` of a table P (O, H).
//!
//! As a one-hot vector, a token adds W e_token, so P = Wᵀ; through its embedding it adds W E\[token\], so
//! P = E Wᵀ. Each position looks up a row of P, and its gradient is added to that row; W and E are multiplied
//! once for each of the O tokens. The output layer's products alone take T·B·O·H multiplications, so P costs
//! little in comparison.

use super::NOTHING;
use crate::error::Result;
use crate::kernels::{Lines, Packed, Real, Start};
use crate::layers::linear::{self, Columns};
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 16;

/// Rows and columns of the tiles in which a matrix is transposed.
const TILE: usize = 32;

/// Computes P (O, H) from W (H, F) and, if given, an embedding E (O, F).
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn table<R: Real>(
    op: &'static str,
    w: &[R],
    (outputs, hidden, fed): (usize, usize, usize),
    embedding: Option<&[R]>,
) -> Result<Vec<R>> {
    let mut table = parallel::scratch(op, &[outputs, hidden])?;
    match embedding {
        None => transpose(w, hidden, |o, h, x| table[o * hidden + h] = x),
        Some(e) => {
            let w = Packed::transposed(op, w, hidden, fed)?;
            linear::product(&Columns::all(e, fed), outputs, &w, Start::Zero, &mut table)?;
        }
    }
    Ok(table)
}

/// Visits a matrix of `rows` rows in tiles, calling `put(column, row, value)`.
fn transpose<R: Real>(matrix: &[R], rows: usize, mut put: impl FnMut(usize, usize, R)) {
    let columns = matrix.len() / rows.max(1);
    for first_row in (0..rows).step_by(TILE) {
        for first in (0..columns).step_by(TILE) {
            for row in first_row..(first_row + TILE).min(rows) {
                for column in first..(first + TILE).min(columns) {
                    put(column, row, matrix[row * columns + column]);
                }
            }
        }
    }
}

/// Computes dP (O, H) = Σ da over the positions at which each token was fed, in order.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn gather_gradient<R: Real>(
    op: &'static str,
    ids: &[i64],
    da: &[R],
    (outputs, hidden): (usize, usize),
) -> Result<Vec<R>> {
    let mut table = parallel::zeros(op, &[outputs, hidden])?;
    // Each thread owns a range of the tokens and adds the positions at which they occur, in order.
    let threads = if da.len() < GRAIN { 1 } else { parallel::num_threads()? };
    let ranges = parallel::even_ranges(outputs, threads);
    let parts: Vec<_> = parallel::split_rows(&mut table, &ranges, hidden).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(rows, range), _| {
        for (da, &id) in da.chunks_exact(hidden.max(1)).zip(ids) {
            if id != NOTHING && range.contains(&(id as usize)) {
                let row = &mut rows[(id as usize - range.start) * hidden..][..hidden];
                row.iter_mut().zip(da).for_each(|(sum, &d)| *sum += d);
            }
        }
        Ok(())
    })?;
    Ok(table)
}

/// Propagates dP: dW += dPᵀ; or, with an embedding, dW += dPᵀ E and dE += dP W.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn spread<R: Real>(
    op: &'static str,
    dtable: &[R],
    (outputs, hidden, fed): (usize, usize, usize),
    (w, dw): (&[R], &mut [R]),
    embedding: Option<(&[R], &mut [R])>,
) -> Result<()> {
    let Some((e, de)) = embedding else {
        transpose(dtable, outputs, |h, o, x| dw[h * fed + o] += x);
        return Ok(());
    };
    linear::accumulate_weights(op, &Columns::all(dtable, hidden), Lines::all(e, fed), dw)?;
    let w = Packed::of(op, w, hidden, fed)?;
    let mut rows = parallel::scratch(op, &[outputs, fed])?;
    linear::product(&Columns::all(dtable, hidden), outputs, &w, Start::Zero, &mut rows)?;
    de.iter_mut().zip(&rows).for_each(|(sum, &d)| *sum += d);
    Ok(())
}
