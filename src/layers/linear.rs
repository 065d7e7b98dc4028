//! Linear layer: o = c + V x for rows x, with V (O, I) and c (O).
//!
//! The recurrence uses the same products: its input projection b + U x, and every gradient of a weight
//! matrix, dV = Σ do xᵀ over all rows at once.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::{Lines, Packed, Real, Rows, RowsMut, Start, accumulate_transposed};
use crate::parallel::{self, Stop};

/// Rows that a task multiplies between two checks for a stop.
const BLOCK: usize = 256;

/// Minimum number of rows for which a sum of outer products into a small matrix is split in two. `SMALL` is
/// the maximum number of elements of such a matrix, in total and per row of the sum.
const LONG: usize = 512;
const SMALL: (usize, usize) = (1 << 17, 64);

/// Minimum number of a matrix's outputs and inputs per thread.
const LEAST_OUTPUTS: usize = 8;
const LEAST_INPUTS: usize = 32;

/// Minimum number of operations (a multiply-add counts as two) per thread.
const GRAIN: usize = 1 << 20;

/// Returns the minimum number of rows per thread.
pub(crate) fn least_rows(operations_a_row: usize) -> usize {
    (GRAIN / operations_a_row.max(1)).max(1)
}

/// Some columns of a row-major matrix.
#[derive(Clone)]
pub(crate) struct Columns<'a, R> {
    /// The matrix.
    pub(crate) data: &'a [R],
    /// Elements per row of the matrix.
    pub(crate) width: usize,
    /// The selected columns: runs, side by side.
    pub(crate) runs: Vec<Range<usize>>,
}

impl<'a, R> Columns<'a, R> {
    /// Selects all columns.
    pub(crate) fn all(data: &'a [R], width: usize) -> Self {
        Columns { data, width, runs: vec![Range { start: 0, end: width }] }
    }

    /// Returns the number of columns.
    fn count(&self) -> usize {
        self.runs.iter().map(ExactSizeIterator::len).sum()
    }

    /// Returns the runs that some of the columns occupy, each as (first, number).
    fn places(&self, range: &Range<usize>) -> Vec<(usize, usize)> {
        let (mut places, mut begin) = (Vec::with_capacity(self.runs.len()), 0);
        for run in &self.runs {
            let (from, to) = (range.start.max(begin), range.end.min(begin + run.len()));
            if from < to {
                places.push((run.start + from - begin, to - from));
            }
            begin += run.len();
        }
        places
    }
}

/// Computes y (n, columns) = x (n, depth) · B + start, with the rows divided among the threads; x is
/// one run of columns.
///
/// # Errors
/// [`crate::Error::Interrupted`].
pub(crate) fn product<R: Real>(
    x: &Columns<'_, R>,
    n: usize,
    b: &Packed<R>,
    start: Start<'_, R>,
    y: &mut [R],
) -> Result<()> {
    let (depth, columns, width, column) = (b.depth(), b.columns(), x.width, x.runs[0].start);
    let ranges = parallel::ranges(n, least_rows(2 * depth * columns))?;
    let parts: Vec<_> = parallel::split_rows(y, &ranges, columns).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(y, range), stop| {
        for first in (0..range.len()).step_by(BLOCK) {
            let count = (range.len() - first).min(BLOCK);
            let from = (range.start + first) * width + column;
            let x = Rows { data: &x.data[from..], stride: width, count };
            b.multiply(x, start, RowsMut { data: &mut y[first * columns..], stride: columns });
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })
}

/// Adds dV (O, I) += Σ doᵀ x over all rows, with V's elements divided among the threads; `dout` is O
/// columns of a matrix.
///
/// # Errors
/// [`crate::Error::Memory`] for the work buffer; [`crate::Error::Interrupted`].
pub(crate) fn accumulate_weights<R: Real>(
    op: &'static str,
    dout: &Columns<'_, R>,
    x: Lines<'_, R>,
    dv: &mut [R],
) -> Result<()> {
    let (rows, inputs, outputs) = (x.count(), x.width(), dout.count());
    if rows < LONG || outputs * inputs > SMALL.0.min(SMALL.1 * rows) {
        return accumulate_sums(op, dout, x, vec![(dv, 0..rows)]);
    }
    // A long sum into a small matrix is computed as two sums, over the first and the second half of the rows,
    // for any number of threads. Two threads then do not read the same rows.
    let mut second = parallel::scratch(op, &[outputs, inputs])?;
    second.fill(R::zero());
    let half = rows / 2;
    accumulate_sums(op, dout, x, vec![(&mut *dv, 0..half), (&mut second[..], half..rows)])?;
    dv.iter_mut().zip(&second).for_each(|(sum, x)| *sum += *x);
    Ok(())
}

/// Computes sums of outer products, each over some rows, in parallel.
fn accumulate_sums<R: Real>(
    op: &'static str,
    dout: &Columns<'_, R>,
    x: Lines<'_, R>,
    mut sums: Vec<(&mut [R], Range<usize>)>,
) -> Result<()> {
    let (inputs, outputs) = (x.width(), dout.count());
    let least = (GRAIN / (2 * x.count()).max(1)).max(LEAST_OUTPUTS * inputs.min(LEAST_INPUTS));
    let threads = parallel::ranges(outputs * inputs, least)?.len() / sums.len();
    let (down, across) = grid(threads, outputs, inputs);
    let (down, across) = (parallel::even_ranges(outputs, down), parallel::even_ranges(inputs, across));
    let cells: Vec<_> = down.iter().flat_map(|i| across.iter().map(move |j| (i, j))).collect();
    let room = if across.len() > 1 { outputs * inputs } else { 0 };
    let mut blocks = parallel::scratch(op, &[sums.len(), room])?;
    let mut parts = Vec::with_capacity(sums.len() * cells.len());
    let mut free = &mut blocks[..];
    for (sum, rows) in &mut sums {
        let (own, others) = std::mem::take(&mut free).split_at_mut(room);
        free = others;
        swap_blocks(sum, own, &cells, inputs);
        let mut rest = if room > 0 { own } else { &mut **sum };
        for &(i, j) in &cells {
            let (part, after) = rest.split_at_mut(i.len() * j.len());
            parts.push((part, i, j, rows.clone()));
            rest = after;
        }
    }
    let outcome = parallel::for_each(parts, |(part, i, j, rows), stop| {
        let data = &dout.data[rows.start * dout.width..rows.end * dout.width];
        let dout = Columns { data, ..dout.clone() };
        outer_products(op, &dout, i, x.part(rows).columns(j.clone()), part, stop)
    });
    for ((sum, _), own) in sums.iter_mut().zip(blocks.chunks_exact_mut(room.max(1))) {
        swap_blocks(sum, own, &cells, inputs);
    }
    outcome
}

/// Exchanges the numbers of a matrix with those of its blocks, which are stored one after the other; does
/// nothing if there are none.
fn swap_blocks<R>(
    matrix: &mut [R],
    mut blocks: &mut [R],
    cells: &[(&Range<usize>, &Range<usize>)],
    columns: usize,
) {
    if blocks.is_empty() {
        return;
    }
    for (i, j) in cells {
        for row in (*i).clone() {
            let (part, rest) = std::mem::take(&mut blocks).split_at_mut(j.len());
            matrix[row * columns..][(*j).clone()].swap_with_slice(part);
            blocks = rest;
        }
    }
}

/// Returns into how many ranges of outputs, and of inputs, a matrix is divided for some threads.
///
/// A thread copies its columns of do and of x before it multiplies them: thin stripes would copy x as many
/// times as there are threads.
fn grid(threads: usize, outputs: usize, inputs: usize) -> (usize, usize) {
    /// Multiply-adds in whose time a number is copied.
    const COPY: usize = 20;
    let cost = |&(down, across): &(usize, usize)| {
        let (o, i) = (outputs.div_ceil(down), inputs.div_ceil(across));
        o * i + COPY * (o + i)
    };
    (1..=threads)
        .rev()
        .map(|down| (down, threads / down))
        .filter(|(down, across)| outputs >= down * LEAST_OUTPUTS && inputs >= across * LEAST_INPUTS)
        .min_by_key(cost)
        .unwrap_or((threads.clamp(1, outputs.max(1)), 1))
}

/// Adds some rows of dV += Σ doᵀ x, in blocks, to respond to a stop; each element is one chain of
/// sums over all rows.
fn outer_products<R: Real>(
    op: &'static str,
    dout: &Columns<'_, R>,
    range: &Range<usize>,
    x: Lines<'_, R>,
    dv: &mut [R],
    stop: &Stop<'_>,
) -> Result<()> {
    let rows = x.count();
    for done in (0..rows).step_by(64 * BLOCK) {
        let end = (done + 64 * BLOCK).min(rows);
        let part = &dout.data[done * dout.width..end * dout.width];
        accumulate_transposed(op, (part, dout.width), &dout.places(range), x.part(done..end), dv)?;
        if stop.requested() {
            break;
        }
    }
    Ok(())
}

/// Rows of do per block; more rows than this are summed block by block.
const ROWS: usize = 8192;

/// Adds dc (O) += Σ do over all rows. Many rows are summed block by block, so that each thread reads its
/// own part of memory.
///
/// # Errors
/// [`crate::Error::Interrupted`].
pub(crate) fn accumulate_bias<R: Real>(dout: &[R], outputs: usize, dc: &mut [R]) -> Result<()> {
    let add = |dc: &mut [R], rows: &[R], range: &Range<usize>| {
        for row in rows.chunks_exact(outputs.max(1)) {
            dc.iter_mut().zip(&row[range.clone()]).for_each(|(sum, &d)| *sum += d);
        }
    };
    if dout.len() <= ROWS * outputs {
        let ranges = parallel::ranges(outputs, least_rows(dout.len() / outputs.max(1)).max(16))?;
        let parts: Vec<_> = parallel::split_rows(dc, &ranges, 1).into_iter().zip(&ranges).collect();
        return parallel::for_each(parts, |(dc, range), _| {
            add(dc, dout, range);
            Ok(())
        });
    }
    let blocks: Vec<&[R]> = dout.chunks(ROWS * outputs).collect();
    let mut sums = vec![R::zero(); blocks.len() * outputs];
    let parts: Vec<_> = sums.chunks_exact_mut(outputs).zip(blocks).collect();
    parallel::for_each(parallel::batches(parts, |(_, block)| block.len())?, |parts, stop| {
        for (sums, block) in parts {
            add(sums, block, &(0..outputs));
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    add(dc, &sums, &(0..outputs));
    Ok(())
}

/// The parameters of a linear layer, V row-major.
#[derive(Clone, Copy)]
pub struct Linear<'a, R> {
    /// V (O, I)
    pub v: &'a [R],
    /// c (O)
    pub c: &'a [R],
    /// I
    pub inputs: usize,
    /// O
    pub outputs: usize,
}

/// Computes o (n, O) = c + V x for the n rows of x (n, I).
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(layer: Linear<'_, R>, x: &[R], n: usize) -> Result<Vec<R>> {
    const OP: &str = "Linear.forward";
    let mut o = parallel::scratch(OP, &[n, layer.outputs])?;
    let v = Packed::transposed(OP, layer.v, layer.outputs, layer.inputs)?;
    product(&Columns::all(x, layer.inputs), n, &v, Start::Row(layer.c), &mut o)?;
    Ok(o)
}

/// Adds dV += Σ do xᵀ and dc += Σ do; returns dx (n, I) = Vᵀ do if `need_dx`.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    layer: Linear<'_, R>,
    (x, n): (&[R], usize),
    dout: &[R],
    (dv, dc): (&mut [R], &mut [R]),
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    const OP: &str = "Linear.backward";
    let rows = Columns::all(dout, layer.outputs);
    accumulate_weights(OP, &rows, Lines::all(x, layer.inputs), dv)?;
    accumulate_bias(dout, layer.outputs, dc)?;
    if !need_dx {
        return Ok(None);
    }
    let mut dx = parallel::scratch(OP, &[n, layer.inputs])?;
    let v = Packed::of(OP, layer.v, layer.outputs, layer.inputs)?;
    product(&rows, n, &v, Start::Zero, &mut dx)?;
    Ok(Some(dx))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_is_divided_into_stripes_for_few_threads_and_into_a_grid_for_many() {
        assert_eq!(grid(1, 128, 128), (1, 1));
        assert_eq!(grid(2, 128, 128), (2, 1));
        assert_eq!(grid(8, 128, 128), (4, 2));
        assert_eq!(grid(16, 256, 256), (4, 4));
        assert_eq!(grid(16, 1000, 3), (16, 1), "a thread has at least {LEAST_INPUTS} inputs");
        assert_eq!(grid(2, 9, 64), (1, 2), "a thread has at least {LEAST_OUTPUTS} outputs");
        assert_eq!(grid(0, 0, 0), (1, 1));
    }

    #[test]
    fn blocks_are_exchanged_with_a_matrix_and_back() {
        let before: Vec<f32> = (0..15u8).map(f32::from).collect();
        let (down, across) = (parallel::even_ranges(3, 2), parallel::even_ranges(5, 2));
        let cells: Vec<_> = down.iter().flat_map(|i| across.iter().map(move |j| (i, j))).collect();
        let (mut matrix, mut blocks) = (before.clone(), vec![-1.0; 15]);
        swap_blocks(&mut matrix, &mut blocks, &cells, 5);
        assert_eq!(matrix, [-1.0; 15]);
        let expected = [0, 1, 2, 3, 4, 5, 6, 10, 11, 7, 8, 9, 12, 13, 14].map(|i| f32::from(i as u8));
        assert_eq!(blocks, expected);
        swap_blocks(&mut matrix, &mut blocks, &cells, 5);
        assert_eq!(matrix, before);
        swap_blocks(&mut matrix, &mut [], &cells, 5);
        assert_eq!(matrix, before);
    }
}
