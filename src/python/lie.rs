//! How the rows of the recurrence's arrays lie.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Number, ids, slice};
use crate::error::check_shape;
use crate::kernels::Lines;
use crate::layers::recurrence::Sequences;

/// The order of a batch (T, B), as Python gives it: how many sequences are going on at each step, how many there are, of every
/// row which of the T·B it is, and T and B.
pub(super) type GivenOrder<'py> = (Bound<'py, PyAny>, usize, Bound<'py, PyAny>, (usize, usize));

/// How the rows of a call's arrays lie: (T, B, ·), or, with an order, (rows, ·). Arrays of the caller are (T, B, ·) in any case.
pub(super) struct Lie {
    pub(super) sequences: Sequences,
    shape: (usize, usize),
}

impl Lie {
    /// By the order, or by the shape of one of the arrays, its last axis left out.
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

    /// The shape of an array of rows of `width` numbers.
    pub(super) fn shape(&self, width: usize) -> Vec<usize> {
        if self.is_ordered() {
            vec![self.sequences.rows(), width]
        } else {
            vec![self.shape.0, self.shape.1, width]
        }
    }

    /// Checks one.
    pub(super) fn check(
        &self,
        op: &'static str,
        argument: &'static str,
        shape: &[usize],
        width: (&'static str, usize),
    ) -> PyResult<()> {
        let mut wanted: Vec<_> = self.shape(width.1).into_iter().map(|n| ("n", Some(n))).collect();
        let letters: &[&str] = if self.is_ordered() { &["rows"] } else { &["T", "B"] };
        for (wanted, letter) in wanted.iter_mut().zip(letters.iter().copied().chain([width.0])) {
            wanted.0 = letter;
        }
        Ok(check_shape(op, argument, shape, &wanted)?)
    }

    /// Checks an array of ids.
    pub(super) fn check_ids(
        &self,
        op: &'static str,
        argument: &'static str,
        shape: &[usize],
    ) -> PyResult<()> {
        let mut wanted = self.shape(0);
        wanted.pop();
        let wanted: Vec<_> = wanted.into_iter().map(|n| ("n", Some(n))).collect();
        Ok(check_shape(op, argument, shape, &wanted)?)
    }

    /// Checks states (B, states·H).
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

    /// The rows of one of them, or, of three axes all the same, of an array of the caller.
    pub(super) fn lines<'a, R: Number>(
        &'a self,
        op: &'static str,
        (argument, array): (&'static str, &'a PyReadonlyArrayDyn<'_, R>),
        width: (&'static str, usize),
    ) -> PyResult<Lines<'a, R>> {
        let order = self.sequences.places().filter(|_| array.shape().len() == 3);
        if order.is_some() {
            let (steps, batch) = self.shape;
            check_shape(
                op,
                argument,
                array.shape(),
                &[("T", Some(steps)), ("B", Some(batch)), (width.0, Some(width.1))],
            )?;
        } else {
            self.check(op, argument, array.shape(), width)?;
        }
        Ok(Lines::ordered(slice(array)?, width.1, order))
    }
}

pub(super) fn without_last(shape: &[usize]) -> &[usize] {
    shape.split_last().map_or(shape, |(_, leading)| leading)
}
