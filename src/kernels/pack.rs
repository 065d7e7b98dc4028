//! Matrices laid out for the product: B in panels as wide as the register tile, read once from front to back.

use super::generic::{self, VECTORS};
use super::{Kernels, Real};
use crate::error::{Error, Result};

/// Numbers that begin at a multiple of 64 bytes, so that no vector straddles two cache lines.
pub struct AlignedVec<R> {
    store: Vec<R>,
    offset: usize,
    len: usize,
}

impl<R: Real> AlignedVec<R> {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`Error::Memory`] if they do not fit.
    pub fn zeros(op: &'static str, len: usize) -> Result<Self> {
        let store: Vec<R> = crate::parallel::zeros(op, &[len.saturating_add(64)])?;
        let offset = store.as_ptr().align_offset(64).min(64);
        Ok(AlignedVec { store, offset, len })
    }

    /// The numbers.
    pub fn as_slice(&self) -> &[R] {
        &self.store[self.offset..self.offset + self.len]
    }

    /// The numbers, to change.
    pub fn as_mut_slice(&mut self) -> &mut [R] {
        &mut self.store[self.offset..self.offset + self.len]
    }
}

/// The matrix on the right of a product, B (depth, columns), in panels.
///
/// A panel holds `VECTORS` vectors' worth of columns (the last one fewer, filled up with zeros to whole vectors),
/// row after row of B. Packing costs one pass over B and is done once per call, or once per life of a stepper.
pub struct Packed<R: Real> {
    kernels: &'static Kernels<R>,
    depth: usize,
    columns: usize,
    panels: AlignedVec<R>,
}

/// The rows of A: `data[r * stride ..][.. depth]` for each r < count.
#[derive(Clone, Copy)]
pub struct Rows<'a, R> {
    /// The numbers.
    pub data: &'a [R],
    /// From one row to the next.
    pub stride: usize,
    /// How many rows.
    pub count: usize,
}

/// The rows of C, as many as A's.
pub struct RowsMut<'a, R> {
    /// The numbers.
    pub data: &'a mut [R],
    /// From one row to the next.
    pub stride: usize,
}

/// What the sums of a product begin with.
#[derive(Clone, Copy)]
pub enum Start<'a, R> {
    /// 0.
    Zero,
    /// The same row for every row of C: a bias.
    Row(&'a [R]),
    /// The rows of another matrix of C's shape.
    Rows(Rows<'a, R>),
    /// What C holds.
    Accumulate,
}

impl<R: Real> Packed<R> {
    /// Packs B, whose number (k, j) is `b[k * row + j * column]`.
    ///
    /// # Errors
    /// [`Error::Memory`] if the copy does not fit.
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

    /// Packs the transpose of a row-major matrix (columns, depth): a weight matrix that multiplies from the left.
    ///
    /// # Errors
    /// As [`Packed::new`].
    pub fn transposed(op: &'static str, b: &[R], columns: usize, depth: usize) -> Result<Self> {
        Self::new(op, b, (depth, 1), (columns, depth))
    }

    pub(super) fn with(
        kernels: &'static Kernels<R>,
        op: &'static str,
        b: &[R],
        (depth, row): (usize, usize),
        (columns, column): (usize, usize),
    ) -> Result<Self> {
        let padded = columns.next_multiple_of(kernels.lanes);
        let len = depth.checked_mul(padded).ok_or_else(|| Error::Memory {
            op,
            wanted: "more than can be addressed".into(),
            available: u64::MAX,
        })?;
        let mut panels = AlignedVec::zeros(op, len)?;
        pack(kernels.lanes, b, (depth, row), (columns, column), panels.as_mut_slice());
        Ok(Packed { kernels, depth, columns, panels })
    }

    /// Columns of A, rows of B.
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Columns of B and C.
    pub fn columns(&self) -> usize {
        self.columns
    }

    #[cfg(test)]
    pub(super) fn panels_for_tests(&self) -> &[R] {
        self.panels.as_slice()
    }

    /// C ← A·B + start, on the calling thread.
    ///
    /// # Panics
    /// If a slice is shorter than its rows say.
    pub fn multiply(&self, a: Rows<'_, R>, start: Start<'_, R>, c: RowsMut<'_, R>) {
        if a.count == 0 || self.columns == 0 {
            return;
        }
        let reach = |stride: usize, width: usize| (a.count - 1) * stride + width;
        assert!(a.data.len() >= reach(a.stride, self.depth), "A is too short");
        assert!(c.stride >= self.columns || a.count == 1, "rows of C overlap");
        assert!(c.data.len() >= reach(c.stride, self.columns), "C is too short");
        // Where C is also the start, both pointers come from one borrow: a second one would end the first.
        let to = c.data.as_mut_ptr();
        let (from, from_row) = match start {
            Start::Zero => (std::ptr::null(), 0),
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
            rows: a.count,
            depth: self.depth,
            columns: self.columns,
            a: a.data.as_ptr(),
            a_row: a.stride,
            a_column: 1,
            b: self.panels.as_slice().as_ptr(),
            start: from,
            start_row: from_row,
            c: to,
            c_row: c.stride,
        };
        // SAFETY: the lengths were checked above; the panels hold depth · columns (filled up) numbers; C is borrowed
        // mutably, so it overlaps nothing; the kernels are the processor's.
        unsafe { (self.kernels.product)(&product) }
    }
}

/// Writes the panels of B.
fn pack<R: Real>(
    lanes: usize,
    b: &[R],
    (depth, row): (usize, usize),
    (columns, column): (usize, usize),
    panels: &mut [R],
) {
    let mut rest = panels;
    for first in (0..columns).step_by(VECTORS * lanes) {
        let width = (columns - first).min(VECTORS * lanes);
        let padded = width.next_multiple_of(lanes);
        let (panel, after) = rest.split_at_mut(depth * padded);
        rest = after;
        if column == 1 {
            for (k, line) in panel.chunks_exact_mut(padded).enumerate() {
                let at = k * row + first;
                line[..width].copy_from_slice(&b[at..at + width]);
            }
        } else {
            for j in 0..width {
                let source = &b[(first + j) * column..];
                for k in 0..depth {
                    panel[k * padded + j] = source[k * row];
                }
            }
        }
    }
}

/// Rows of A and B that one pass of [`accumulate_transposed`] takes.
const ROWS_BLOCK: usize = 256;

/// C (m, n) += Aᵀ·B for row-major A (k, ·) and B (k, ·): a sum over k = T·B rows of outer products, as the gradient of
/// every weight matrix is. Takes the columns `first..first + m` of A, on the calling thread.
///
/// # Errors
/// [`Error::Memory`] if the work space does not fit.
///
/// # Panics
/// If a slice is shorter than the sizes say.
pub fn accumulate_transposed<R: Real>(
    op: &'static str,
    (a, a_columns): (&[R], usize),
    (first, m): (usize, usize),
    (b, n): (&[R], usize),
    c: &mut [R],
) -> Result<()> {
    accumulate_with(R::kernels(), op, (a, a_columns), (first, m), (b, n), c)
}

pub(super) fn accumulate_with<R: Real>(
    kernels: &'static Kernels<R>,
    op: &'static str,
    (a, a_columns): (&[R], usize),
    (first, m): (usize, usize),
    (b, n): (&[R], usize),
    c: &mut [R],
) -> Result<()> {
    if m == 0 || n == 0 || b.is_empty() {
        return Ok(());
    }
    let k = b.len() / n;
    assert!(first + m <= a_columns && a.len() >= k * a_columns && c.len() >= m * n, "sizes do not fit");
    let block = k.min(ROWS_BLOCK);
    let mut panels = AlignedVec::zeros(op, block * n.next_multiple_of(kernels.lanes))?;
    let mut tile = AlignedVec::zeros(op, block * kernels.rows)?;
    for done in (0..k).step_by(ROWS_BLOCK) {
        let depth = (k - done).min(ROWS_BLOCK);
        let rows = &b[done * n..(done + depth) * n];
        let used = depth * n.next_multiple_of(kernels.lanes);
        pack(kernels.lanes, rows, (depth, n), (n, 1), &mut panels.as_mut_slice()[..used]);
        for i in (0..m).step_by(kernels.rows) {
            let height = (m - i).min(kernels.rows);
            for (line, row) in tile
                .as_mut_slice()
                .chunks_exact_mut(kernels.rows)
                .zip(a[done * a_columns..].chunks(a_columns))
                .take(depth)
            {
                line[..height].copy_from_slice(&row[first + i..first + i + height]);
            }
            let c = c[i * n..(i + height) * n].as_mut_ptr();
            let product = generic::Product {
                rows: height,
                depth,
                columns: n,
                a: tile.as_slice().as_ptr(),
                a_row: 1,
                a_column: kernels.rows,
                b: panels.as_slice().as_ptr(),
                start: c.cast_const(),
                start_row: n,
                c,
                c_row: n,
            };
            // SAFETY: `tile` holds depth · rows numbers, `panels` depth · n filled up, `c` height · n; `c` is borrowed
            // mutably; the kernels are the processor's.
            unsafe { (kernels.product)(&product) }
        }
    }
    Ok(())
}
