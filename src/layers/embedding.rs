//! Embedding: maps token ids to rows of a table E (V, I).
//!
//! x = E\[id\] is the product of a one-hot vector with E, computed as a lookup; therefore dE\[id\] += dx.

use ndarray::{ArrayView2, ArrayViewMut2};

use crate::error::{Error, Result, check_shape};
use crate::kernels::Real;
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 16;

/// Checks that every id is a row of a table of `limit` rows.
///
/// # Errors
/// [`Error::TokenId`] for the first id that is not.
pub fn check_ids(op: &'static str, argument: &'static str, ids: &[i64], limit: usize) -> Result<()> {
    match ids.iter().position(|&id| id < 0 || id as u64 >= limit as u64) {
        None => Ok(()),
        Some(position) => {
            Err(Error::TokenId { op, argument, position, id: ids[position], last: limit as i64 - 1 })
        }
    }
}

/// Computes x (n, I) = E\[ids\].
///
/// # Errors
/// [`Error::TokenId`]; [`Error::Memory`].
pub fn forward<R: Real>(ids: &[i64], table: ArrayView2<'_, R>) -> Result<Vec<R>> {
    const OP: &str = "Embedding.forward";
    check_ids(OP, "ids", ids, table.nrows())?;
    let width = table.ncols();
    let mut x = parallel::scratch(OP, &[ids.len(), width])?;
    let rows = table.as_slice().expect("the table is contiguous");
    let ranges = parallel::ranges(ids.len(), GRAIN / width.max(1))?;
    let parts: Vec<_> = parallel::split_rows(&mut x, &ranges, width).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(x, range), _| {
        for (x, &id) in x.chunks_exact_mut(width.max(1)).zip(&ids[range.clone()]) {
            x.copy_from_slice(&rows[id as usize * width..][..width]);
        }
        Ok(())
    })?;
    Ok(x)
}

/// Adds dE\[ids\] += dx, in the order of the positions.
///
/// # Errors
/// [`Error::TokenId`]; [`Error::Shape`] if dx is not (n, I).
pub fn backward<R: Real>(ids: &[i64], dx: ArrayView2<'_, R>, mut dtable: ArrayViewMut2<'_, R>) -> Result<()> {
    const OP: &str = "Embedding.backward";
    check_ids(OP, "ids", ids, dtable.nrows())?;
    let width = dtable.ncols();
    check_shape(OP, "dx", dx.shape(), &[("n", Some(ids.len())), ("I", Some(width))])?;
    let rows = dtable.as_slice_mut().expect("the table is contiguous");
    let dx = dx.to_slice().expect("dx is contiguous");
    // Each thread owns a range of the table's rows and adds the positions that refer to them, in order.
    let count = rows.len() / width.max(1);
    let threads = if dx.len() < GRAIN { 1 } else { parallel::num_threads()? };
    let ranges = parallel::even_ranges(count, threads);
    let parts: Vec<_> = parallel::split_rows(rows, &ranges, width).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(rows, range), _| {
        for (dx, &id) in dx.chunks_exact(width.max(1)).zip(ids) {
            if range.contains(&(id as usize)) {
                let row = &mut rows[(id as usize - range.start) * width..][..width];
                row.iter_mut().zip(dx).for_each(|(sum, &d)| *sum += d);
            }
        }
        Ok(())
    })
}
