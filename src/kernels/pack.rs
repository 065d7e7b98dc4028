//! Packing of matrices for the product: B is stored in panels as wide as the register tile and read
//! sequentially.

use std::ops::Range;

use super::generic;
use super::{Kernels, Real};
use crate::error::{Error, Result};
use crate::parallel;

/// Numbers aligned to 64 bytes, so that no vector straddles two cache lines.
pub struct AlignedVec<R> {
    store: Vec<R>,
    offset: usize,
    len: usize,
}

impl<R: Real> AlignedVec<R> {
    /// Allocates `len` numbers with unspecified contents.
    ///
    /// # Errors
    /// [`Error::Memory`] if they do not fit in memory.
    pub fn scratch(op: &'static str, len: usize) -> Result<Self> {
        let store: Vec<R> = crate::parallel::scratch(op, &[len.saturating_add(64)])?;
        let offset = store.as_ptr().align_offset(64).min(64);
        Ok(AlignedVec { store, offset, len })
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[R] {
        &self.store[self.offset..self.offset + self.len]
    }

    /// The numbers, mutable.
    pub fn as_mut_slice(&mut self) -> &mut [R] {
        &mut self.store[self.offset..self.offset + self.len]
    }
}

/// The right-hand matrix of a product, B (depth, columns), packed into panels.
///
/// A panel holds as many columns of B as the register tile has, row by row. The last panel may hold fewer,
/// padded with zeros to whole vectors. Packing takes one pass over B, once per call or once in the lifetime
/// of a stepper.
pub struct Packed<R: Real> {
    pub(super) kernels: &'static Kernels<R>,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) panels: AlignedVec<R>,
}

/// The rows of A: `data[r * stride ..][.. depth]` for r < count.
#[derive(Clone, Copy)]
pub struct Rows<'a, R> {
    /// The numbers.
    pub data: &'a [R],
    /// Distance from one row to the next, in numbers.
    pub stride: usize,
    /// Number of rows.
    pub count: usize,
}

/// The rows of C; there are as many as in A.
pub struct RowsMut<'a, R> {
    /// The numbers.
    pub data: &'a mut [R],
    /// Distance from one row to the next, in numbers.
    pub stride: usize,
}

/// The initial value of the sums of a product.
#[derive(Clone, Copy)]
pub enum Start<'a, R> {
    /// 0.
    Zero,
    /// The given row for every row of C: a bias.
    Row(&'a [R]),
    /// One number per row of C, the same for all its columns: a bias if the rows are units.
    Column(&'a [R]),
    /// The rows of another matrix with C's shape.
    Rows(Rows<'a, R>),
    /// The contents of C.
    Accumulate,
}

impl<R: Real> Packed<R> {
    /// Packs B, whose element (k, j) is `b[k * row + j * column]`.
    ///
    /// # Errors
    /// [`Error::Memory`] if the copy does not fit in memory.
    pub fn new(
        op: &'static str,
        b: &[R],
        (depth, row): (usize, usize),
        (columns, column): (usize, usize),
    ) -> Result<Self> {
        Self::with(R::kernels(), op, b, (depth, row), (columns, column))
    }

    /// Packs a row-major B (depth, columns).
    ///
    /// # Errors
    /// As [`Packed::new`].
    pub fn of(op: &'static str, b: &[R], depth: usize, columns: usize) -> Result<Self> {
        Self::new(op, b, (depth, columns), (columns, 1))
    }

    /// Packs the transpose of a row-major matrix (columns, depth), such as a weight matrix W in W x.
    ///
    /// # Errors
    /// As [`Packed::new`].
    pub fn transposed(op: &'static str, b: &[R], columns: usize, depth: usize) -> Result<Self> {
        Self::transposed_rows(op, b, 0..columns, depth)
    }

    /// Like [`Packed::transposed`], for selected rows of the matrix in the given order.
    ///
    /// # Errors
    /// As [`Packed::new`].
    ///
    /// # Panics
    /// If the matrix has no such row.
    pub fn transposed_rows(
        op: &'static str,
        b: &[R],
        rows: impl Iterator<Item = usize>,
        depth: usize,
    ) -> Result<Self> {
        let starts: Vec<usize> = rows.map(|row| row * depth).collect();
        let mut packed = Self::scratch(R::kernels(), op, depth, starts.len())?;
        packed
            .fill(|kernels, columns, panels| pack_transposed(kernels, b, depth, &starts[columns], panels))?;
        Ok(packed)
    }

    pub(super) fn with(
        kernels: &'static Kernels<R>,
        op: &'static str,
        b: &[R],
        (depth, row): (usize, usize),
        (columns, column): (usize, usize),
    ) -> Result<Self> {
        let mut packed = Self::scratch(kernels, op, depth, columns)?;
        if column == 1 {
            packed.fill(|kernels, columns, panels| {
                pack(kernels, &b[columns.start..], (depth, row), None, columns.len(), panels);
            })?;
        } else {
            assert_eq!(row, 1, "one of the strides is 1");
            packed.fill(|kernels, columns, panels| {
                let starts: Vec<usize> = columns.map(|j| j * column).collect();
                pack_transposed(kernels, b, depth, &starts, panels);
            })?;
        }
        Ok(packed)
    }

    /// Writes the panels of all columns, on several threads if the panels are large.
    fn fill(&mut self, write: impl Fn(&'static Kernels<R>, Range<usize>, &mut [R]) + Sync) -> Result<()> {
        let (kernels, depth, columns) = (self.kernels, self.depth, self.columns);
        let mut panels = self.panels.as_mut_slice();
        if panels.len() < 2 * LEAST {
            write(kernels, 0..columns, panels);
            return Ok(());
        }
        let mut parts = Vec::new();
        for range in parallel::ranges(columns.div_ceil(kernels.panel), LEAST.div_ceil(depth * kernels.panel))?
        {
            let range = range.start * kernels.panel..(range.end * kernels.panel).min(columns);
            let part;
            (part, panels) = panels.split_at_mut(depth * range.len().next_multiple_of(kernels.lanes));
            parts.push((range, part));
        }
        parallel::for_each(parts, |(range, part), _| {
            write(kernels, range, part);
            Ok(())
        })
    }

    /// Allocates panels with unspecified contents.
    pub(super) fn scratch(
        kernels: &'static Kernels<R>,
        op: &'static str,
        depth: usize,
        columns: usize,
    ) -> Result<Self> {
        let padded = columns.next_multiple_of(kernels.lanes);
        let len = depth.checked_mul(padded).ok_or_else(|| Error::Memory {
            op,
            wanted: "more than can be addressed".into(),
            available: u64::MAX,
        })?;
        let panels = AlignedVec::scratch(op, len)?;
        Ok(Packed { kernels, depth, columns, panels })
    }

    /// Number of columns of A and of rows of B.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Number of columns of B and C.
    pub fn columns(&self) -> usize {
        self.columns
    }

    #[cfg(test)]
    pub(super) fn panels_for_tests(&self) -> &[R] {
        self.panels.as_slice()
    }

    /// Computes C ← A·B + start on the calling thread.
    ///
    /// # Panics
    /// If a slice is too short for its rows.
    pub fn multiply(&self, a: Rows<'_, R>, start: Start<'_, R>, c: RowsMut<'_, R>) {
        self.multiply_in_turn(a, start, c, false);
    }

    /// Computes the same bits as [`Packed::multiply`]; if `back` is true, reads the panels of B from last to
    /// first. If calls alternate the direction, part of a B that exceeds the cache is still cached from the
    /// call before.
    ///
    /// # Panics
    /// If a slice is too short for its rows.
    pub fn multiply_in_turn(&self, a: Rows<'_, R>, start: Start<'_, R>, c: RowsMut<'_, R>, back: bool) {
        if a.count == 0 || self.columns == 0 {
            return;
        }
        let reach = |stride: usize, width: usize| (a.count - 1) * stride + width;
        assert!(a.data.len() >= reach(a.stride, self.depth), "A is too short");
        assert!(c.stride >= self.columns || a.count == 1, "rows of C overlap");
        assert!(c.data.len() >= reach(c.stride, self.columns), "C is too short");
        // If C is also the start, both pointers come from one borrow: a second borrow would invalidate the
        // first.
        let to = c.data.as_mut_ptr();
        let (from, from_row) = match start {
            Start::Zero => (std::ptr::null(), 0),
            Start::Column(column) => {
                assert!(column.len() >= a.count, "the starting column is too short");
                (column.as_ptr(), 1)
            }
            Start::Row(row) => {
                assert!(row.len() >= self.columns, "the starting row is too short");
                (row.as_ptr(), 0)
            }
            Start::Rows(rows) => {
                assert!(
                    rows.data.len() >= reach(rows.stride, self.columns),
                    "the starting rows are too short"
                );
                (rows.data.as_ptr(), rows.stride)
            }
            Start::Accumulate => (to.cast_const(), c.stride),
        };
        let product = generic::Product {
            lines: 1,
            rows: a.count,
            depth: self.depth,
            run: self.depth,
            columns: self.columns,
            backwards: back,
            cold: size_of_val(self.panels.as_slice()) > COLD,
            a: a.data.as_ptr(),
            a_line: 0,
            a_row: a.stride,
            a_run: 0,
            a_column: 1,
            b: self.panels.as_slice().as_ptr(),
            start: from,
            start_line: 0,
            start_row: from_row,
            start_column: usize::from(!matches!(start, Start::Column(_))),
            c: to,
            c_line: 0,
            c_row: c.stride,
        };
        // With one row and a cached B, only the latency of the sums limits the speed (see `row.rs`).
        let few = a.count <= self.kernels.few && !product.cold;
        let kernel = if few { self.kernels.row } else { self.kernels.product };
        // SAFETY: the lengths were checked above; the panels hold depth · columns (padded) numbers; C is
        // borrowed mutably, so it overlaps nothing; the processor has the kernels' instruction set.
        unsafe { kernel(&product) }
    }
}

/// Size in bytes above which a packed B is prefetched: it does not stay in a core's own cache from one call
/// to the next.
const COLD: usize = 1 << 20;

/// Fewest numbers worth a thread when packing B.
const LEAST: usize = 1 << 15;

/// Writes the panels of a B with row stride `row`; an order, if given, selects the rows.
///
/// # Panics
/// If a slice is too short for the sizes.
pub(super) fn pack<R: Real>(
    kernels: &Kernels<R>,
    b: &[R],
    (depth, row): (usize, usize),
    order: Option<&[usize]>,
    columns: usize,
    panels: &mut [R],
) {
    if depth == 0 || columns == 0 {
        return;
    }
    assert!(order.is_none_or(|order| order.len() == depth), "the order must name `depth` rows");
    let last = order.map_or(depth - 1, |order| order.iter().copied().max().unwrap_or(0));
    assert!(b.len() >= last.saturating_mul(row).saturating_add(columns), "B is too short");
    assert!(panels.len() >= depth * columns.next_multiple_of(kernels.lanes), "the panels are too short");
    // SAFETY: the lengths were checked; all panels but the last are whole vectors; the processor has the
    // kernels' instruction set.
    unsafe { (kernels.pack)(b.as_ptr(), (depth, row), order, columns, panels.as_mut_ptr()) }
}

/// Writes the panels of a B whose columns are contiguous and start at `starts`.
///
/// # Panics
/// If a slice is too short for the sizes.
pub(super) fn pack_transposed<R: Real>(
    kernels: &Kernels<R>,
    b: &[R],
    depth: usize,
    starts: &[usize],
    panels: &mut [R],
) {
    assert!(starts.iter().all(|start| start.saturating_add(depth) <= b.len()), "B is too short");
    let padded = starts.len().next_multiple_of(kernels.lanes);
    assert!(panels.len() >= depth * padded, "the panels are too short");
    // SAFETY: as in `pack`.
    unsafe { (kernels.pack_transposed)(b.as_ptr(), depth, starts, panels.as_mut_ptr()) }
}
