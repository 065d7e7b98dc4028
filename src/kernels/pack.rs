//! Matrices laid out for the product: B in panels as wide as the register tile, read once from front to back.

use std::ops::Range;

use super::generic;
use super::{Kernels, Lines, Real};
use crate::error::{Error, Result};
use crate::parallel;

/// Numbers that begin at a multiple of 64 bytes, so that no vector straddles two cache lines.
pub struct AlignedVec<R> {
    store: Vec<R>,
    offset: usize,
    len: usize,
}

impl<R: Real> AlignedVec<R> {
    /// `len` numbers, whatever they are.
    ///
    /// # Errors
    /// [`Error::Memory`] if they do not fit.
    pub fn scratch(op: &'static str, len: usize) -> Result<Self> {
        let store: Vec<R> = crate::parallel::scratch(op, &[len.saturating_add(64)])?;
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
/// A panel holds as many columns as the register tile (the last one fewer, filled up with zeros to whole vectors),
/// row after row of B. Packing costs one pass over B and is done once per call, or once per life of a stepper.
pub struct Packed<R: Real> {
    pub(super) kernels: &'static Kernels<R>,
    pub(super) depth: usize,
    pub(super) columns: usize,
    pub(super) panels: AlignedVec<R>,
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
    /// The same number all along a row of C, another for each row: a bias where rows are units.
    Column(&'a [R]),
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
        Self::transposed_rows(op, b, 0..columns, depth)
    }

    /// The same of some rows of the matrix, in the order given.
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

    /// Has the panels of all columns written: many of them by several threads.
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

    /// Panels of whatever numbers.
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
        self.multiply_in_turn(a, start, c, false);
    }

    /// The same, with the same bits; on the way `back` B is read from its end. A B that does not fit in a cache, read to and
    /// fro, is found there in part every time.
    ///
    /// # Panics
    /// If a slice is shorter than its rows say.
    pub fn multiply_in_turn(&self, a: Rows<'_, R>, start: Start<'_, R>, c: RowsMut<'_, R>, back: bool) {
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
        // One row of a B that is near waits for nothing but its own sums.
        let kernel = if a.count == 1 && !product.cold { self.kernels.row } else { self.kernels.product };
        // SAFETY: the lengths were checked above; the panels hold depth · columns (filled up) numbers; C is borrowed
        // mutably, so it overlaps nothing; the kernels are the processor's.
        unsafe { kernel(&product) }
    }
}

/// Bytes of a product's B, of a gradient's C, from which they are asked for in time: what does not stay in a core's own cache
/// from one call to the next.
const COLD: usize = 1 << 20;
const COLD_SUMS: usize = 1 << 19;

/// Numbers that are worth a thread when B is packed.
const LEAST: usize = 1 << 15;

/// Writes the panels of a B whose rows lie `row` apart, and of them those that an order names.
///
/// # Panics
/// If a slice is shorter than the sizes say.
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
    assert!(order.is_none_or(|order| order.len() == depth), "another number of rows");
    let last = order.map_or(depth - 1, |order| order.iter().copied().max().unwrap_or(0));
    assert!(b.len() >= last.saturating_mul(row).saturating_add(columns), "B is too short");
    assert!(panels.len() >= depth * columns.next_multiple_of(kernels.lanes), "the panels are too short");
    // SAFETY: the lengths were checked; all panels but the last are whole vectors; the kernels are the processor's.
    unsafe { (kernels.pack)(b.as_ptr(), (depth, row), order, columns, panels.as_mut_ptr()) }
}

/// Writes the panels of a B whose columns begin at `starts`.
///
/// # Panics
/// If a slice is shorter than the sizes say.
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

/// Bytes of the rows of B that [`accumulate_transposed`] packs at a time, and how many rows those are at least and at most.
const ROWS_BYTES: usize = 1 << 19;
const ROWS: (usize, usize) = (256, 1024);

/// Bytes of a row of A, and of all rows, up to which [`accumulate_transposed`] reads its columns where they lie: of longer rows they
/// would be in as many pages, and in few places of the cache; and what comes from memory is better read in its order.
const SHORT: usize = 1 << 9;
const NEAR: usize = 1 << 22;

impl<R: Real> Packed<R> {
    /// C (m, columns) += Aᵀ·B with the columns `first..first + m` of a row-major A that has B's number of rows: a sum of
    /// outer products. On the calling thread. Where there are tiles, A's columns are copied there first.
    ///
    /// # Errors
    /// [`Error::Memory`].
    ///
    /// # Panics
    /// If a slice is shorter than the sizes say.
    fn accumulate(
        &self,
        tiles: Option<&mut Tiles<R>>,
        (a, a_columns): (&[R], usize),
        (first, m): (usize, usize),
        c: &mut [R],
    ) -> Result<()> {
        let (depth, n, height) = (self.depth, self.columns, self.kernels.rows);
        assert!(first + m <= a_columns && a.len() >= depth * a_columns, "A is too short");
        assert!(c.len() >= m * n, "C is too short");
        let (a, group, column) = match tiles {
            None => (&a[first..], height, a_columns),
            Some(tiles) => {
                let group = tiles.pack(height, (a, a_columns), (first, m), depth)?;
                (tiles.numbers.as_slice(), group, height)
            }
        };
        let (lanes, wide) = (self.kernels.lanes, self.kernels.panel);
        for from in (0..n).step_by(wide) {
            let width = (n - from).min(wide);
            // A panel of B stays in the cache while A's groups pass by: first the whole ones, then what is left.
            let panel = &self.panels.as_slice()[from * depth..][..depth * width.next_multiple_of(lanes)];
            let whole = m / height;
            for (i, lines, rows) in [(0, whole, height), (whole, 1, m - whole * height)] {
                if lines * rows == 0 {
                    continue;
                }
                let c = &mut c[i * height * n + from..];
                assert!(c.len() >= (lines * rows - 1) * n + width);
                // One pointer for both uses: a second borrow would end the first.
                let c = c.as_mut_ptr();
                let product = generic::Product {
                    lines,
                    rows,
                    depth,
                    run: depth,
                    columns: width,
                    backwards: false,
                    cold: m * n * size_of::<R>() > COLD_SUMS,
                    a: a[i * group..].as_ptr(),
                    a_line: group,
                    a_row: 1,
                    a_run: 0,
                    a_column: column,
                    b: panel.as_ptr(),
                    start: c.cast_const(),
                    start_line: height * n,
                    start_row: n,
                    start_column: 1,
                    c,
                    c_line: height * n,
                    c_row: n,
                };
                // SAFETY: A has the columns asserted, or a group of tiles depth · height numbers, the panel depth · width
                // filled up, C the rows asserted; C is borrowed mutably; the kernels are the processor's.
                unsafe { (self.kernels.product)(&product) }
            }
        }
        Ok(())
    }
}

/// Columns of A as [`Packed::accumulate`] reads them, in groups of as many as the register tile has rows.
struct Tiles<R> {
    op: &'static str,
    numbers: AlignedVec<R>,
}

impl<R: Real> Tiles<R> {
    /// Copies columns of A, reading its rows from front to back; gives the distance from group to group.
    fn pack(
        &mut self,
        height: usize,
        a: (&[R], usize),
        (first, m): (usize, usize),
        depth: usize,
    ) -> Result<usize> {
        // A little apart, or the groups' lines would all want the same places in the cache.
        let group = depth * height + 64 / size_of::<R>();
        let needed = m.div_ceil(height) * group;
        if self.numbers.as_slice().len() < needed {
            self.numbers = AlignedVec::scratch(self.op, needed)?;
        }
        let tiles = self.numbers.as_mut_slice();
        match height {
            8 => columns::<R, 8>(tiles, group, a, (first, m), depth),
            6 => columns::<R, 6>(tiles, group, a, (first, m), depth),
            _ => columns::<R, 4>(tiles, group, a, (first, m), depth),
        }
        Ok(group)
    }
}

/// [`Tiles::pack`] for groups of N columns: a number of columns that the compiler knows needs no call to copy them.
fn columns<R: Real, const N: usize>(
    tiles: &mut [R],
    group: usize,
    (a, a_columns): (&[R], usize),
    (first, m): (usize, usize),
    depth: usize,
) {
    for (k, row) in a.chunks(a_columns).take(depth).enumerate() {
        let (whole, rest) = row[first..first + m].as_chunks::<N>();
        for (i, columns) in whole.iter().enumerate() {
            let at = i * group + k * N;
            tiles[at..at + N].copy_from_slice(columns);
        }
        let at = whole.len() * group + k * N;
        for (i, &x) in rest.iter().enumerate() {
            tiles[at + i] = x;
        }
    }
}

/// C (m, n) += Aᵀ·B for row-major A (k, ·) and B (k, n): a sum over k rows of outer products. Takes the columns
/// `first..first + m` of A for each (first, m), one after the other, on the calling thread.
///
/// # Errors
/// [`Error::Memory`] if the work space does not fit.
///
/// # Panics
/// If a slice is shorter than the sizes say.
pub fn accumulate_transposed<R: Real>(
    op: &'static str,
    a: (&[R], usize),
    columns: &[(usize, usize)],
    b: Lines<'_, R>,
    c: &mut [R],
) -> Result<()> {
    accumulate_with(R::kernels(), op, a, columns, b, c)
}

pub(super) fn accumulate_with<R: Real>(
    kernels: &'static Kernels<R>,
    op: &'static str,
    (a, a_columns): (&[R], usize),
    columns: &[(usize, usize)],
    b: Lines<'_, R>,
    c: &mut [R],
) -> Result<()> {
    let (k, n) = (b.count(), b.width());
    if c.is_empty() || n == 0 || k == 0 {
        return Ok(());
    }
    let room = (ROWS_BYTES / size_of::<R>() / n).clamp(ROWS.0, ROWS.1).min(k);
    let panels = AlignedVec::scratch(op, room * n.next_multiple_of(kernels.lanes))?;
    let mut packed = Packed { kernels, depth: room, columns: n, panels };
    let row = a_columns * size_of::<R>();
    let mut tiles = if row <= SHORT && k * row <= NEAR {
        None
    } else {
        Some(Tiles { op, numbers: AlignedVec::scratch(op, 0)? })
    };
    for begin in (0..k).step_by(room) {
        packed.depth = room.min(k - begin);
        let used = packed.depth * n.next_multiple_of(kernels.lanes);
        let (data, order) = b.part(begin..begin + packed.depth).parts();
        pack(kernels, data, (packed.depth, n), order, n, &mut packed.panels.as_mut_slice()[..used]);
        let mut rest = &mut *c;
        for &(first, m) in columns {
            let (part, after) = rest.split_at_mut(m * n);
            packed.accumulate(tiles.as_mut(), (&a[begin * a_columns..], a_columns), (first, m), part)?;
            rest = after;
        }
    }
    Ok(())
}
