//! Rows of a matrix, in storage order or in a given order.

use std::ops::Range;

use super::memory::prefetch;
use super::{Real, Rows};

/// Rows of a row-major matrix: all rows in storage order, or selected rows in a given order.
#[derive(Clone, Copy)]
pub struct Lines<'a, R> {
    data: &'a [R],
    width: usize,
    /// The distance from one row of the matrix to the next.
    stride: usize,
    order: Option<&'a [usize]>,
}

impl<'a, R: Real> Lines<'a, R> {
    /// All rows, of `width` numbers each, in storage order.
    pub fn all(data: &'a [R], width: usize) -> Self {
        Lines { data, width, stride: width, order: None }
    }

    /// Row i is row `order[i]` of the matrix; without an order, all rows in storage order.
    ///
    /// Reading a row that the matrix does not have panics.
    pub fn ordered(data: &'a [R], width: usize, order: Option<&'a [usize]>) -> Self {
        Lines { data, width, stride: width, order }
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows.
    pub fn count(&self) -> usize {
        self.order.map_or(self.data.len().div_ceil(self.stride.max(1)), <[usize]>::len)
    }

    /// The numbers, the distance from row to row, and the order.
    pub(super) fn parts(self) -> (&'a [R], usize, Option<&'a [usize]>) {
        (self.data, self.stride, self.order)
    }

    /// Whether the rows follow an order, rather than being contiguous in memory.
    pub fn is_ordered(&self) -> bool {
        self.order.is_some()
    }

    /// Row i.
    pub fn row(&self, i: usize) -> &'a [R] {
        let i = self.order.map_or(i, |order| order[i]);
        &self.data[i * self.stride..][..self.width]
    }

    /// The columns in a range.
    pub fn columns(&self, columns: Range<usize>) -> Self {
        assert!(columns.start <= columns.end && columns.end <= self.width, "expected columns of the rows");
        Lines { data: self.data.get(columns.start..).unwrap_or(&[]), width: columns.len(), ..*self }
    }

    /// The rows in a range.
    pub fn part(&self, rows: Range<usize>) -> Self {
        match self.order {
            None => {
                let end = self.data.len().min(rows.end * self.stride);
                Lines { data: &self.data[rows.start * self.stride..end], ..*self }
            }
            Some(order) => Lines { order: Some(&order[rows]), ..*self },
        }
    }

    /// Every `step`-th row starting at `first`, as input of a product: in place, or copied to `room` if there
    /// is an order.
    pub fn rows<'b>(&self, first: usize, step: usize, count: usize, room: &'b mut Vec<R>) -> Rows<'b, R>
    where
        'a: 'b,
    {
        if self.order.is_none() {
            return Rows { data: &self.data[first * self.stride..], stride: step * self.stride, count };
        }
        room.clear();
        room.reserve(count * self.width);
        for i in (first..).step_by(step).take(count) {
            room.extend_from_slice(self.row(i));
        }
        Rows { data: room, stride: self.width, count }
    }

    /// Prefetches the rows in a range.
    pub fn expect(&self, rows: Range<usize>) {
        match self.order {
            None if self.width == self.stride => prefetch(self.part(rows).data),
            _ => rows.for_each(|i| prefetch(self.row(i))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_as_they_lie_and_in_another_order() {
        let data: Vec<f32> = (0..8u8).map(f32::from).collect();
        let (mut room, order) = (Vec::new(), [3, 0, 2]);
        let all = Lines::all(&data, 2);
        assert_eq!((all.count(), all.row(1), all.part(1..3).count()), (4, &[2.0, 3.0][..], 2));
        let Rows { data: rows, stride, count } = all.rows(1, 2, 2, &mut room);
        assert_eq!((rows.as_ptr(), stride, count), (data[2..].as_ptr(), 4, 2));
        let some = Lines::ordered(&data, 2, Some(&order));
        assert_eq!(
            (some.count(), some.row(0), some.part(1..3).row(1)),
            (3, &[6.0, 7.0][..], &[4.0, 5.0][..])
        );
        let Rows { data: rows, stride, count } = some.rows(0, 2, 2, &mut room);
        assert_eq!((rows, stride, count), (&[6.0, 7.0, 4.0, 5.0][..], 2, 2));
    }

    #[test]
    fn columns_of_rows() {
        let data: Vec<f32> = (0..12u8).map(f32::from).collect();
        let some = Lines::all(&data, 4).columns(1..3);
        assert_eq!((some.width(), some.count(), some.row(2)), (2, 3, &[9.0, 10.0][..]));
        assert_eq!((some.part(2..3).count(), some.part(2..3).row(0)), (1, &[9.0, 10.0][..]));
        let ordered = Lines::ordered(&data, 4, Some(&[2, 0])).columns(3..4);
        assert_eq!((ordered.count(), ordered.row(0), ordered.row(1)), (2, &[11.0][..], &[3.0][..]));
        let mut room = Vec::new();
        let Rows { data: rows, stride, count } = some.rows(0, 2, 2, &mut room);
        assert_eq!((rows[0], rows[stride], count), (1.0, 9.0, 2));
    }

    #[test]
    #[should_panic(expected = "out of range")]
    fn a_row_that_is_not_there() {
        let _ = Lines::ordered(&[0.0f32; 4], 2, Some(&[2])).row(0);
    }
}
