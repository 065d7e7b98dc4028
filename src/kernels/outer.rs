//! Sums of outer products, Aᵀ·B over the rows of A and B: the gradients of weights.

use super::pack::{AlignedVec, Packed, pack};
use super::{Kernels, Lines, Real, generic};
use crate::error::Result;

/// Bytes of rows of B that [`accumulate_transposed`] packs at a time, and the smallest and largest number of
/// these rows.
const ROWS_BYTES: usize = 1 << 19;
const ROWS: (usize, usize) = (256, 1024);

/// Size of C in bytes above which it is prefetched, as a large B is (see `pack.rs`).
const COLD_SUMS: usize = 1 << 19;

/// Largest size in bytes of a row of A, and of all its rows, for which [`accumulate_transposed`] reads
/// columns of A in place. With longer rows, the numbers of a column are spread over many pages and compete
/// for few cache sets. An A in main memory is better read in storage order.
const SHORT: usize = 1 << 9;
const NEAR: usize = 1 << 22;

impl<R: Real> Packed<R> {
    /// Adds to C (m, columns) the sum of outer products Aᵀ·B, with the columns `first..first + m` of a
    /// row-major A that has as many rows as B. Runs on the calling thread. With `tiles`, copies the columns
    /// of A to them first.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    ///
    /// # Panics
    /// If a slice is too short for the sizes.
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
            // A panel of B stays in the cache while it is multiplied by the groups of A: first the full
            // groups, then the rest.
            let panel = &self.panels.as_slice()[from * depth..][..depth * width.next_multiple_of(lanes)];
            let whole = m / height;
            for (i, lines, rows) in [(0, whole, height), (whole, 1, m - whole * height)] {
                if lines * rows == 0 {
                    continue;
                }
                let c = &mut c[i * height * n + from..];
                assert!(c.len() >= (lines * rows - 1) * n + width);
                // One pointer serves both uses: a second borrow would invalidate the first.
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
                // SAFETY: A has the columns asserted, or each group of tiles depth · height numbers; the
                // panel has depth · width (padded) numbers; C has the rows asserted and is borrowed mutably;
                // the processor has the kernels' instruction set.
                unsafe { (self.kernels.product)(&product) }
            }
        }
        Ok(())
    }
}

/// Columns of A as [`Packed::accumulate`] reads them, in groups of one column per row of the register tile.
struct Tiles<R> {
    op: &'static str,
    numbers: AlignedVec<R>,
}

impl<R: Real> Tiles<R> {
    /// Copies columns of A, reading its rows in storage order. Returns the distance from one group to the
    /// next.
    fn pack(
        &mut self,
        height: usize,
        a: (&[R], usize),
        (first, m): (usize, usize),
        depth: usize,
    ) -> Result<usize> {
        // Padded by a cache line; otherwise the groups would compete for the same cache sets.
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

/// Implements [`Tiles::pack`] for groups of N columns. With N known at compile time, copying them needs no
/// function call.
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

/// Adds Aᵀ·B, the sum of outer products over k rows, to C (m, n), for row-major A (k, ·) and B (k, n). Uses
/// the columns `first..first + m` of A for each (first, m); their rows of C follow one another. Runs on the
/// calling thread.
///
/// # Errors
/// [`crate::Error::Memory`] if the workspace does not fit in memory.
///
/// # Panics
/// If a slice is too short for the sizes.
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
        let (data, stride, order) = b.part(begin..begin + packed.depth).parts();
        pack(kernels, data, (packed.depth, stride), order, n, &mut packed.panels.as_mut_slice()[..used]);
        let mut rest = &mut *c;
        for &(first, m) in columns {
            let (part, after) = rest.split_at_mut(m * n);
            packed.accumulate(tiles.as_mut(), (&a[begin * a_columns..], a_columns), (first, m), part)?;
            rest = after;
        }
    }
    Ok(())
}
