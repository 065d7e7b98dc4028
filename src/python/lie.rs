//! The memory layout of the recurrence's arrays.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Number, ids, slice};
use crate::error::check_shape;
use crate::kernels::Lines;
use crate::layers::recurrence::Sequences;

/// The order of a batch (T, B), as received from Python: the number of sequences running at each step, the
/// number of sequences, for every row its index among the T·B rows, and (T, B).
pub(super) type GivenOrder<'py> = (Bound<'py, PyAny>, usize, Bound<'py, PyAny>, (usize, usize));

/// A letter and a size.
type Axis = (&'static str, Option<usize>);

/// The layout of the arrays of a call: (T, B, ·), or (rows, ·) with an order. The caller's own arrays are (T,
/// B, ·) in both cases.
pub(super) struct Lie {
    pub(super) sequences: Sequences,
    shape: (usize, usize),
}

impl Lie {
    /// Returns the layout given by the order, or by the shape of one of the arrays without its last axis.
    pub(super) fn of(
        op: &'static str,
        (argument, leading): (&'static str, &[usize]),
        order: Option<GivenOrder<'_>>,
    ) -> PyResult<Self> {
        let Some((counts, batch, rows, shape)) = order else {
            check_shape(op, argument, leading, &[("T", None), ("B", None)])?;
            let shape = (leading[0], leading[1]);
            return Ok(Lie { sequences: Sequences::even(shape.0, shape.1), shape });
        };
        let (counts, rows) = (ids(op, "counts", &counts)?, ids(op, "rows", &rows)?);
        check_shape(op, "counts", counts.shape(), &[("T", None)])?;
        let sequences = Sequences::of_counts(op, slice(&counts)?, batch)?;
        let sequences = sequences.placed(op, slice(&rows)?, shape.0.saturating_mul(shape.1))?;
        Ok(Lie { sequences, shape })
    }

    fn is_ordered(&self) -> bool {
        self.sequences.places().is_some()
    }

    /// Returns the shape of an array with `width` elements per row.
    pub(super) fn shape(&self, width: usize) -> Vec<usize> {
        self.axes().iter().filter_map(|axis| axis.1).chain([width]).collect()
    }

    /// Returns the axes of the rows.
    fn axes(&self) -> Vec<Axis> {
        if self.is_ordered() { vec![("rows", Some(self.sequences.rows()))] } else { self.callers().to_vec() }
    }

    fn callers(&self) -> [Axis; 2] {
        [("T", Some(self.shape.0)), ("B", Some(self.shape.1))]
    }

    /// Checks the shape of an array.
    pub(super) fn check(
        &self,
        op: &'static str,
        argument: &'static str,
        shape: &[usize],
        (letter, width): (&'static str, usize),
    ) -> PyResult<()> {
        let mut axes = self.axes();
        axes.push((letter, Some(width)));
        Ok(check_shape(op, argument, shape, &axes)?)
    }

    /// Checks the shape of an array of ids.
    pub(super) fn check_ids(
        &self,
        op: &'static str,
        argument: &'static str,
        shape: &[usize],
    ) -> PyResult<()> {
        Ok(check_shape(op, argument, shape, &self.axes())?)
    }

    /// Checks the shape of states (B, states·H).
    pub(super) fn check_state(
        &self,
        op: &'static str,
        argument: &'static str,
        shape: Option<&[usize]>,
        width: usize,
    ) -> PyResult<()> {
        let wanted = [("B", Some(self.sequences.batch())), ("S", Some(width))];
        Ok(shape.map_or(Ok(()), |shape| check_shape(op, argument, shape, &wanted))?)
    }

    /// Returns the rows of an array in this layout, or of a caller's array, which has three
    /// axes in both cases.
    pub(super) fn lines<'a, R: Number>(
        &'a self,
        op: &'static str,
        (argument, array): (&'static str, &'a PyReadonlyArrayDyn<'_, R>),
        width: (&'static str, usize),
    ) -> PyResult<Lines<'a, R>> {
        let order = self.sequences.places().filter(|_| array.shape().len() == 3);
        if order.is_some() {
            let [steps, batch] = self.callers();
            check_shape(op, argument, array.shape(), &[steps, batch, (width.0, Some(width.1))])?;
        } else {
            self.check(op, argument, array.shape(), width)?;
        }
        Ok(Lines::ordered(slice(array)?, width.1, order))
    }
}

pub(super) fn without_last(shape: &[usize]) -> &[usize] {
    shape.split_last().map_or(shape, |(_, leading)| leading)
}
