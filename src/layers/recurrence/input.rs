//! The input part of a recurrence's pre-activations: b + U x_t, before W h_{t−1} is added.

use std::ops::Range;

use crate::error::Result;
use crate::kernels::{Lines, Packed, Real, Rows, RowsMut, Start};
use crate::layers::cell::Layout;
use crate::layers::embedding::check_ids;

/// The input of a recurrent layer.
#[derive(Clone, Copy)]
pub enum Input<'a, R> {
    /// x (rows, I), with U (blocks·H, I) and b (sums·H)
    Vectors {
        /// x
        x: Lines<'a, R>,
        /// U
        u: &'a [R],
        /// b
        b: &'a [R],
    },
    /// Token ids (rows), whose projections are looked up in a table (V, sums·H) = b + U E. The bits are those
    /// of x = E\[id\], at the cost of V row products instead of one per position.
    Tokens {
        /// ids
        ids: &'a [i64],
        /// The table
        table: &'a [R],
        /// Elements per row of the table
        width: usize,
    },
}

/// An input that is ready for use, for all units or for some.
pub(super) enum Source<'a, R: Real> {
    Projection { projection: Projection<R>, x: Lines<'a, R> },
    Table { table: &'a [R], ids: &'a [i64], width: usize, columns: Vec<Range<usize>> },
}

/// b + U x, with U packed.
pub(in crate::layers) struct Projection<R: Real> {
    /// Packed rows of U whose products are contiguous, and their offset in a row of pre-activations.
    runs: Vec<(Packed<R>, usize)>,
    b: Vec<R>,
}

impl<R: Real> Projection<R> {
    /// Packs U for some of the H units; a row of pre-activations is then (sums, units).
    pub(in crate::layers) fn of(
        op: &'static str,
        (layout, hidden): (Layout, usize),
        units: &Range<usize>,
        (u, inputs): (&[R], usize),
        b: &[R],
    ) -> Result<Self> {
        let block = |block: usize| block * hidden + units.start..block * hidden + units.end;
        let (mut runs, mut row) = (Vec::new(), 0);
        for &(first, blocks) in layout.inputs {
            let u = Packed::transposed_rows(op, u, rows_of(row..row + blocks, hidden, units), inputs)?;
            runs.push((u, first * units.len()));
            row += blocks;
        }
        let b = (0..layout.sums).flat_map(|g| &b[block(g)]).copied().collect();
        Ok(Projection { runs, b })
    }

    /// Computes b + U x for some rows of x.
    pub(in crate::layers) fn fill(&self, x: Rows<'_, R>, sums: &mut [R]) {
        let (b, stride) = (&self.b[..], self.b.len());
        let taken: usize = self.runs.iter().map(|(u, _)| u.columns()).sum();
        if taken < stride {
            sums.chunks_exact_mut(stride).take(x.count).for_each(|row| row.copy_from_slice(b));
        }
        for (u, first) in &self.runs {
            let into = RowsMut { data: &mut sums[*first..], stride };
            u.multiply(x, Start::Row(&b[*first..]), into);
        }
    }
}

impl<'a, R: Real> Input<'a, R> {
    /// Checks the ids.
    ///
    /// # Errors
    /// [`crate::Error::TokenId`] for the first id that is not a row of the table.
    pub(super) fn check(&self, op: &'static str) -> Result<()> {
        match self {
            Input::Vectors { .. } => Ok(()),
            Input::Tokens { ids, table, width } => check_ids(op, "ids", ids, table.len() / (*width).max(1)),
        }
    }

    /// Prepares the input for all units.
    pub(super) fn source(&self, op: &'static str, layout: Layout, hidden: usize) -> Result<Source<'a, R>> {
        self.source_of(op, layout, hidden, &(0..hidden))
    }

    /// Returns the number of elements of U.
    pub(super) fn numbers_of_u(&self) -> usize {
        match self {
            Input::Vectors { u, .. } => u.len(),
            Input::Tokens { .. } => 0,
        }
    }

    /// Prepares the input for some of the units; a row of pre-activations is then (sums, units).
    pub(super) fn source_of(
        &self,
        op: &'static str,
        layout: Layout,
        hidden: usize,
        units: &Range<usize>,
    ) -> Result<Source<'a, R>> {
        match *self {
            Input::Vectors { x, u, b } => {
                let projection = Projection::of(op, (layout, hidden), units, (u, x.width()), b)?;
                Ok(Source::Projection { projection, x })
            }
            Input::Tokens { ids, table, width } => {
                let blocks = (0..layout.sums).map(|g| g * hidden);
                let columns = blocks.map(|at| at + units.start..at + units.end).collect();
                Ok(Source::Table { table, ids, width, columns })
            }
        }
    }
}

/// Returns the rows of some units, in blocks of H rows.
pub(super) fn rows_of(
    blocks: Range<usize>,
    hidden: usize,
    units: &Range<usize>,
) -> impl Iterator<Item = usize> {
    let units = units.clone();
    blocks.flat_map(move |block| units.clone().map(move |unit| block * hidden + unit))
}

impl<R: Real> Source<'_, R> {
    /// Returns whether consecutive rows of x are scattered in memory.
    pub(super) fn is_scattered(&self) -> bool {
        matches!(self, Source::Projection { x, .. } if x.is_ordered())
    }

    /// Prefetches these rows of x; does nothing for a table.
    pub(super) fn expect(&self, first: usize, count: usize) {
        if let Source::Projection { x, .. } = self {
            x.expect(first..first + count);
        }
    }

    /// Computes b + U x for `count` rows of input, every `step`-th starting at `first`; `room` is scratch for
    /// rows that are not in order in memory.
    pub(super) fn fill(
        &self,
        (first, step, count): (usize, usize, usize),
        room: &mut Vec<R>,
        sums: &mut [R],
    ) {
        match self {
            Source::Projection { projection, x } => projection.fill(x.rows(first, step, count, room), sums),
            Source::Table { table, ids, width, columns } => {
                let units: usize = columns.iter().map(ExactSizeIterator::len).sum();
                let ids = ids[first..].iter().step_by(step).take(count);
                for (row, &id) in sums.chunks_exact_mut(units).zip(ids) {
                    let entry = &table[id as usize * width..][..*width];
                    let mut done = 0;
                    for range in columns {
                        row[done..done + range.len()].copy_from_slice(&entry[range.clone()]);
                        done += range.len();
                    }
                }
            }
        }
    }
}
