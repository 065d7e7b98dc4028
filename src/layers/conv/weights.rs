//! dK = Σ windowᵀ da over all pixels of y, db = Σ da.
//!
//! A row of dK corresponds to a column of the window matrix: equally spaced values of the picture. The
//! picture is therefore the left factor, read in place, and da the packed right factor. The pixels are summed
//! in groups that depend on the problem alone, not on the number of threads. If there are more threads than
//! groups, the rows of dK are divided as well, which changes no sum.

use std::ops::Range;

use super::Shape;
use super::band::{Place, Source};
use crate::error::Result;
use crate::kernels::{Packed, Real, Start, Steps, Windows};
use crate::layers::linear::least_rows;
use crate::parallel;

/// Minimum number of y's pixels per group, and maximum number of groups.
const GROUP: usize = 1 << 12;
const GROUPS: usize = 8;

/// Pixels of y processed at a time: da's panels for this many stay in the nearest cache.
const PIXELS: usize = 128;

/// The accumulators of one task: rows of dK, and db for the task with the first rows.
struct Part<'a, R> {
    /// Lines of y, counted over all pictures.
    lines: Range<usize>,
    /// Rows of dK, with (kernel height, kernel width, I) flattened.
    rows: Range<usize>,
    dk: &'a mut [R],
    db: Option<&'a mut [R]>,
}

/// Adds dK (kernel height, kernel width, I, O) += Σ windowᵀ da and db += Σ da.
pub(super) fn accumulate<R: Real>(
    op: &'static str,
    shape: Shape,
    x: Source<'_, R>,
    da: Source<'_, R>,
    (dk, db): (&mut [R], &mut [R]),
) -> Result<()> {
    let columns = shape.outputs;
    let line = da.size.1 * columns;
    if da.numbers.is_empty() {
        return Ok(());
    }
    let (lines, rows) = (da.numbers.len() / line, dk.len() / columns);
    let groups = parallel::even_ranges(lines, (lines * da.size.1 / GROUP).clamp(1, GROUPS));
    let least = least_rows(2 * groups[0].len() * line).max(8);
    let divided = parallel::num_threads()?.div_ceil(groups.len()).min(rows / least);
    let divided = parallel::even_ranges(rows, divided);
    let others = groups.len() - 1;
    let mut more = parallel::zeros(op, &[others, rows + 1, columns])?;
    let mut sums = vec![(&mut *dk, &mut *db)];
    sums.extend(more.chunks_exact_mut((rows + 1) * columns).map(|sum| sum.split_at_mut(rows * columns)));
    let mut parts = Vec::with_capacity(groups.len() * divided.len());
    for ((dk, db), lines) in sums.into_iter().zip(&groups) {
        let mut db = Some(db);
        for (dk, rows) in parallel::split_rows(dk, &divided, columns).into_iter().zip(&divided) {
            parts.push(Part { lines: lines.clone(), rows: rows.clone(), dk, db: db.take() });
        }
    }
    // One list of parts per thread: `for_each` gives the calling thread a single element, so more elements
    // than threads would leave it idle.
    let mut dealt: Vec<Vec<Part<'_, R>>> = Vec::new();
    for range in parallel::ranges(parts.len(), 1)?.into_iter().rev() {
        dealt.push(parts.split_off(range.start));
    }
    parallel::for_each(dealt, |parts, stop| {
        parts.into_iter().try_for_each(|part| group(op, shape, (x, da), part, stop))
    })?;
    for sum in more.chunks_exact((rows + 1) * columns) {
        let (more_k, more_b) = sum.split_at(rows * columns);
        dk.iter_mut().zip(more_k).for_each(|(sum, &d)| *sum += d);
        db.iter_mut().zip(more_b).for_each(|(sum, &d)| *sum += d);
    }
    Ok(())
}

/// Computes a part of the sums, a few lines of y at a time.
fn group<R: Real>(
    op: &'static str,
    shape: Shape,
    (x, da): (Source<'_, R>, Source<'_, R>),
    mut part: Part<'_, R>,
    stop: &parallel::Stop<'_>,
) -> Result<()> {
    let (height, width) = da.size;
    let (channels, line) = (shape.inputs, width * shape.outputs);
    let at_once = (PIXELS / width).clamp(1, height);
    let place = |first: usize, count: usize| Place {
        origin: ((first * shape.stride.0) as isize - shape.padding.0 as isize, -(shape.padding.1 as isize)),
        size: ((count - 1) * shape.stride.0 + shape.kernel.0, (width - 1) * shape.stride.1 + shape.kernel.1),
    };
    let most = place(0, at_once).size;
    let mut room = parallel::scratch(op, &[most.0, most.1, channels])?;
    let mut packed = Packed::room(op, at_once * width, shape.outputs)?;
    // da, if it has to be computed from dy.
    let mut changed = parallel::scratch(op, &[usize::from(da.through.is_some()), at_once, line])?;
    let mut done = part.lines.start;
    while done < part.lines.end {
        let (picture, first) = (done / height, done % height);
        let count = at_once.min(height - first).min(part.lines.end - done);
        let (begin, end) = (done * line, (done + count) * line);
        if da.through.is_some() {
            da.copy(begin, &mut changed[..end - begin]);
            packed.refill(&changed[..end - begin]);
        } else {
            packed.refill(&da.numbers[begin..end]);
        }
        let band = x.band(picture, place(first, count), &mut room);
        let windows = Windows {
            data: band.data,
            lines: Steps { count: 1, stride: 0 },
            rows: Steps { count: 0, stride: 1 },
            runs: Steps { count, stride: shape.stride.0 * band.pitch },
            columns: Steps { count: width, stride: shape.stride.1 * channels },
        };
        outer_products(shape, windows, (&packed, band.pitch), &mut part);
        done += count;
        if stop.requested() {
            break;
        }
    }
    Ok(())
}

/// Adds a band's contribution: rows of dK for each line of the kernel, and db as the product with ones.
fn outer_products<R: Real>(
    shape: Shape,
    windows: Windows<'_, R>,
    (packed, pitch): (&Packed<R>, usize),
    part: &mut Part<'_, R>,
) {
    let (run, columns) = (shape.kernel.1 * shape.inputs, shape.outputs);
    let mut row = part.rows.start;
    while row < part.rows.end {
        let (u, from) = (row / run, row % run);
        let count = (run - from).min(part.rows.end - row);
        let a =
            Windows { data: &windows.data[u * pitch + from..], rows: Steps { count, stride: 1 }, ..windows };
        let dk = &mut part.dk[(row - part.rows.start) * columns..];
        packed.multiply_windows(a, Start::Accumulate, dk, (0, columns));
        row += count;
    }
    if let Some(db) = &mut part.db {
        let still = |steps: Steps| Steps { stride: 0, ..steps };
        let (rows, runs) = (Steps { count: 1, stride: 0 }, still(windows.runs));
        let ones = Windows { data: &[R::one()], rows, runs, columns: still(windows.columns), ..windows };
        packed.multiply_windows(ones, Start::Accumulate, db, (0, columns));
    }
}
