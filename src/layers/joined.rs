//! Concatenation of two arrays along the last axis, \[a; b\] for every row, and its inverse.

use crate::error::Result;
use crate::kernels::Real;
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 16;

/// Concatenates the rows of a (n, A) and b (n, B) to rows (n, A + B).
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn join<R: Real>((a, first): (&[R], usize), (b, second): (&[R], usize), n: usize) -> Result<Vec<R>> {
    let width = first + second;
    let mut joined = parallel::scratch("join", &[n, width])?;
    let ranges = parallel::ranges(n, GRAIN / width.max(1) + 1)?;
    let parts = parallel::split_rows(&mut joined, &ranges, width).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(rows, range): (&mut [R], &std::ops::Range<usize>), _| {
        for (i, row) in range.clone().zip(rows.chunks_exact_mut(width.max(1))) {
            row[..first].copy_from_slice(&a[i * first..][..first]);
            row[first..].copy_from_slice(&b[i * second..][..second]);
        }
        Ok(())
    })?;
    Ok(joined)
}

/// Splits rows (n, A + B) into rows (n, A) and (n, B).
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn split<R: Real>(joined: &[R], [first, second]: [usize; 2], n: usize) -> Result<[Vec<R>; 2]> {
    let width = first + second;
    let mut a = parallel::scratch("split", &[n, first])?;
    let mut b = parallel::scratch("split", &[n, second])?;
    let ranges = parallel::ranges(n, GRAIN / width.max(1) + 1)?;
    let parts = parallel::split_rows(&mut a, &ranges, first)
        .into_iter()
        .zip(parallel::split_rows(&mut b, &ranges, second))
        .zip(&ranges)
        .collect();
    parallel::for_each(parts, |((a, b), range), _| {
        for (k, row) in joined[range.start * width..range.end * width].chunks_exact(width.max(1)).enumerate()
        {
            a[k * first..][..first].copy_from_slice(&row[..first]);
            b[k * second..][..second].copy_from_slice(&row[first..]);
        }
        Ok(())
    })?;
    Ok([a, b])
}
