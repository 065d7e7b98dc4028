//! Products whose left factor A consists of overlapping windows of a picture, read in place.
//!
//! A row of A is a window (kernel height, kernel width, channels) of a picture (height, width, channels): one
//! run of numbers per row of the kernel. The windows are not copied: a copy would be up to kernel height ×
//! kernel width times as large as the picture.

use super::generic;
use super::pack::{pack, pack_transposed};
use super::{Packed, Real, Start};
use crate::error::Result;

/// Equally spaced positions in an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// Number of positions.
    pub count: usize,
    /// Distance from one position to the next, in numbers.
    pub stride: usize,
}

impl Steps {
    /// Returns the distance from the first position to the last.
    fn reach(self) -> usize {
        self.count.saturating_sub(1).saturating_mul(self.stride)
    }
}

/// A matrix A whose rows form lines and whose columns form runs. Number k of run u in row r of line l is
/// `data[l · lines.stride + r · rows.stride + u · runs.stride + k · columns.stride]`.
#[derive(Debug, Clone, Copy)]
pub struct Windows<'a, R> {
    /// The numbers.
    pub data: &'a [R],
    /// The lines.
    pub lines: Steps,
    /// The rows in a line.
    pub rows: Steps,
    /// The runs.
    pub runs: Steps,
    /// The columns in a run.
    pub columns: Steps,
}

impl<R: Real> Packed<R> {
    /// Allocates room for a B of at most `depth` rows; [`Packed::refill`] fills it.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    pub fn room(op: &'static str, depth: usize, columns: usize) -> Result<Self> {
        let mut packed = Self::scratch(R::kernels(), op, depth, columns)?;
        packed.depth = 0;
        Ok(packed)
    }

    /// Packs another contiguous, row-major B with the same number of columns.
    ///
    /// # Panics
    /// If there is not enough room.
    pub fn refill(&mut self, b: &[R]) {
        let columns = self.columns;
        self.depth = b.len() / columns.max(1);
        let used = self.depth * columns.next_multiple_of(self.kernels.lanes);
        pack(self.kernels, b, (self.depth, columns), None, columns, &mut self.panels.as_mut_slice()[..used]);
    }

    /// Packs the transposes of row-major blocks (columns, height) of `b`, one below the other. The blocks
    /// start at `starts`.
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    ///
    /// # Panics
    /// If b is too short.
    pub fn transposed_blocks(
        op: &'static str,
        b: &[R],
        starts: &[usize],
        (columns, height): (usize, usize),
    ) -> Result<Self> {
        let kernels = R::kernels();
        let mut packed = Self::scratch(kernels, op, starts.len() * height, columns)?;
        let depth = packed.depth;
        let mut rest = packed.panels.as_mut_slice();
        for first in (0..columns).step_by(kernels.panel) {
            let width = (columns - first).min(kernels.panel);
            let padded = width.next_multiple_of(kernels.lanes);
            let (panel, after) = rest.split_at_mut(depth * padded);
            rest = after;
            for (block, start) in panel.chunks_exact_mut((height * padded).max(1)).zip(starts) {
                let rows: Vec<usize> = (first..first + width).map(|row| start + row * height).collect();
                pack_transposed(kernels, b, height, &rows, block);
            }
        }
        Ok(packed)
    }

    /// Computes C ← A·B + start for windows A, on the calling thread. `to_row` is the distance between
    /// consecutive rows of a line of C, `to_line` the distance between consecutive lines. The start is zero,
    /// one row for all rows, or C itself.
    ///
    /// # Panics
    /// If a slice is too short for the sizes, if the number of columns of A is not the number of rows of B,
    /// or for any other start.
    pub fn multiply_windows(
        &self,
        a: Windows<'_, R>,
        start: Start<'_, R>,
        c: &mut [R],
        (to_line, to_row): (usize, usize),
    ) {
        assert_eq!(a.runs.count * a.columns.count, self.depth, "the columns of A do not match the rows of B");
        if a.lines.count == 0 || a.rows.count == 0 || self.columns == 0 {
            return;
        }
        if self.depth > 0 {
            let steps = [a.lines, a.rows, a.runs, a.columns];
            let reach = steps.iter().fold(0usize, |sum, s| sum.saturating_add(s.reach()));
            assert!(a.data.len() > reach, "A is too short");
        }
        let reach = |count: usize, stride: usize| Steps { count, stride }.reach();
        let needed = reach(a.lines.count, to_line).saturating_add(reach(a.rows.count, to_row));
        assert!(c.len() >= needed.saturating_add(self.columns), "C is too short");
        let to = c.as_mut_ptr();
        let (from, start_line, start_row) = match start {
            Start::Zero => (std::ptr::null(), 0, 0),
            Start::Row(row) => {
                assert!(row.len() >= self.columns, "the starting row is too short");
                (row.as_ptr(), 0, 0)
            }
            // One pointer serves both uses: a second borrow would invalidate the first.
            Start::Accumulate => (to.cast_const(), to_line, to_row),
            Start::Column(_) | Start::Rows(_) => panic!("the start of windows must be zero, a row, or C"),
        };
        let product = generic::Product {
            lines: a.lines.count,
            rows: a.rows.count,
            depth: self.depth,
            run: a.columns.count,
            columns: self.columns,
            backwards: false,
            cold: false,
            a: a.data.as_ptr(),
            a_line: a.lines.stride,
            a_row: a.rows.stride,
            a_run: a.runs.stride,
            a_column: a.columns.stride,
            b: self.panels.as_slice().as_ptr(),
            start: from,
            start_line,
            start_row,
            start_column: 1,
            c: to,
            c_line: to_line,
            c_row: to_row,
        };
        // SAFETY: the lengths were checked above; the panels hold depth · columns (padded) numbers; C is
        // borrowed mutably, so it overlaps nothing; the processor has the kernels' instruction set.
        unsafe { (self.kernels.product)(&product) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::{Rows, RowsMut, supported};

    fn numbers<R: Real>(n: usize, salt: u64) -> Vec<R> {
        let next = |i: usize| (i as u64 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        (0..n).map(|i| R::of(next(i) as f64 / f64::from(1 << 23) - 1.0)).collect()
    }

    fn steps(count: usize, stride: usize) -> Steps {
        Steps { count, stride }
    }

    /// Checks that a product of windows has the same bits as the product of the matrix that they represent.
    fn same_as_the_matrix<R: Real>(lines: Steps, rows: Steps, runs: Steps, columns: Steps, n: usize) {
        let len = [lines, rows, runs, columns].map(Steps::reach).iter().sum::<usize>() + 1;
        let data = numbers::<R>(len, 1);
        let depth = runs.count * columns.count;
        let mut matrix = Vec::new();
        for (line, row) in (0..lines.count).flat_map(|l| (0..rows.count).map(move |r| (l, r))) {
            for (run, k) in (0..runs.count).flat_map(|u| (0..columns.count).map(move |k| (u, k))) {
                let at = line * lines.stride + row * rows.stride + run * runs.stride + k * columns.stride;
                matrix.push(data[at]);
            }
        }
        let (b, bias) = (numbers::<R>(depth * n, 2), numbers::<R>(n, 3));
        let (m, to_row) = (lines.count * rows.count, n + 3);
        let before = numbers::<R>(m * to_row, 4);
        for isa in supported() {
            let packed = Packed::with(R::kernels_of(isa), "test", &b, (depth, n), (n, 1)).unwrap();
            for start in [Start::Zero, Start::Row(&bias), Start::Accumulate] {
                let (mut expected, mut got) = (before.clone(), before.clone());
                let rows_of_a = Rows { data: &matrix, stride: depth, count: m };
                packed.multiply(rows_of_a, start, RowsMut { data: &mut expected, stride: to_row });
                let a = Windows { data: &data, lines, rows, runs, columns };
                packed.multiply_windows(a, start, &mut got, (rows.count * to_row, to_row));
                assert_eq!(got, expected, "{}: {lines:?} {rows:?} {runs:?} {columns:?} {n}", isa.name());
            }
        }
    }

    #[test]
    fn windows_are_the_matrix_that_they_stand_for() {
        for (lines, rows, runs, columns, n) in [
            (steps(3, 20), steps(5, 2), steps(3, 20), steps(6, 1), 7),
            (steps(1, 0), steps(9, 1), steps(4, 11), steps(10, 3), 50),
            (steps(2, 4), steps(1, 0), steps(1, 0), steps(1, 0), 1),
            (steps(2, 30), steps(17, 0), steps(2, 5), steps(3, 0), 97),
        ] {
            same_as_the_matrix::<f32>(lines, rows, runs, columns, n);
            same_as_the_matrix::<f64>(lines, rows, runs, columns, n);
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "takes hours in Miri and covers no additional code")]
    fn blocks_of_a_long_sum_end_with_runs() {
        for (runs, columns) in [(3, 700), (5, 300), (2, 1500), (1, 2500), (40, 60)] {
            same_as_the_matrix::<f64>(steps(2, 3), steps(3, 1), steps(runs, 5), steps(columns, 1), 20);
        }
    }

    #[test]
    fn transposed_blocks_stand_below_each_other() {
        let (columns, height, n) = (53, 5, 4);
        let b = numbers::<f64>(n * columns * height, 5);
        let starts: Vec<usize> = [2, 0, 3].map(|block| block * columns * height).to_vec();
        let mut matrix = Vec::new();
        for start in &starts {
            for k in 0..height {
                matrix.extend((0..columns).map(|j| b[start + j * height + k]));
            }
        }
        let packed = Packed::transposed_blocks("test", &b, &starts, (columns, height)).unwrap();
        let expected = Packed::of("test", &matrix, 3 * height, columns).unwrap();
        assert_eq!(packed.panels_for_tests(), expected.panels_for_tests());
    }

    #[test]
    #[should_panic(expected = "A is too short")]
    fn a_window_past_the_end_is_refused() {
        let packed = Packed::of("test", &[1.0f32; 6], 6, 1).unwrap();
        let a = Windows {
            data: &[0.0; 9],
            lines: steps(1, 0),
            rows: steps(2, 2),
            runs: steps(2, 5),
            columns: steps(3, 1),
        };
        packed.multiply_windows(a, Start::Zero, &mut [0.0; 2], (2, 1));
    }

    #[test]
    #[should_panic(expected = "C is too short")]
    fn a_result_that_does_not_fit_is_refused() {
        let packed = Packed::of("test", &[1.0f32; 6], 6, 1).unwrap();
        let a = Windows {
            data: &[0.0; 10],
            lines: steps(1, 0),
            rows: steps(2, 2),
            runs: steps(2, 5),
            columns: steps(3, 1),
        };
        packed.multiply_windows(a, Start::Zero, &mut [0.0; 1], (2, 1));
    }
}
