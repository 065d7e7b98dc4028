//! The arrays of the output-to-hidden network, opened and checked.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::FORWARD;
use crate::error::check_shape;
use crate::kernels::Activation;
use crate::layers::cell::Cell;
use crate::layers::jordan::driven::Own;
use crate::layers::jordan::{Fed, Later, Sizes, Weights, check_lengths, check_tokens};
use crate::python::array::{Number, ids, input, optional, optional_slice, slice};
use crate::python::error::value_error;
use crate::python::recurrence::cell;

pub(super) type Any<'py> = Bound<'py, PyAny>;

/// U, W, b, V, c, and E or None.
pub(super) type Six<'py> = (Any<'py>, Any<'py>, Any<'py>, Any<'py>, Any<'py>, Option<Any<'py>>);

/// The feedback: (first, values, ids), see [`Feed`].
pub(super) type Three<'py> = (Option<Any<'py>>, Option<Any<'py>>, Option<Any<'py>>);

/// The opened arrays of the parameters.
pub(super) struct Open<'py, R: Number> {
    pub(super) u: PyReadonlyArrayDyn<'py, R>,
    pub(super) w: PyReadonlyArrayDyn<'py, R>,
    pub(super) b: PyReadonlyArrayDyn<'py, R>,
    pub(super) v: PyReadonlyArrayDyn<'py, R>,
    pub(super) c: PyReadonlyArrayDyn<'py, R>,
    pub(super) e: Option<PyReadonlyArrayDyn<'py, R>>,
}

impl<'py, R: Number> Open<'py, R> {
    pub(super) fn new(op: &str, (u, w, b, v, c, e): &Six<'py>) -> PyResult<Self> {
        Ok(Open {
            u: input(op, "U", u)?,
            w: input(op, "W", w)?,
            b: input(op, "b", b)?,
            v: input(op, "V", v)?,
            c: input(op, "c", c)?,
            e: optional(op, "E", e.as_ref())?,
        })
    }

    /// Returns the sizes, after checking x and all parameters.
    pub(super) fn sizes(&self, op: &'static str, x: &[usize]) -> PyResult<Sizes> {
        let e = self.e.as_ref().map(|e| e.shape());
        if let Some(e) = e {
            check_shape(op, "E", e, &[("O", self.v.shape().first().copied()), ("E", None)])?;
        }
        let shapes = [self.u.shape(), self.w.shape(), self.b.shape(), self.v.shape(), self.c.shape()];
        Ok(Sizes::of(op, x, shapes, e.map(|e| e[1]))?)
    }

    pub(super) fn weights(&self) -> PyResult<Weights<'_, R>> {
        Ok(Weights {
            u: slice(&self.u)?,
            w: slice(&self.w)?,
            b: slice(&self.b)?,
            v: slice(&self.v)?,
            c: slice(&self.c)?,
        })
    }
}

/// The opened feedback: at the first step, values (B, F) or tokens (B); later, values (T, B, F)
/// or tokens (T, B).
pub(super) struct Feed<'py, R: Number> {
    pub(super) first: Option<PyReadonlyArrayDyn<'py, R>>,
    pub(super) values: Option<PyReadonlyArrayDyn<'py, R>>,
    pub(super) ids: Option<PyReadonlyArrayDyn<'py, i64>>,
}

impl<'py, R: Number> Feed<'py, R> {
    pub(super) fn new(
        op: &'static str,
        sizes: Sizes,
        (first, values, tokens): &Three<'py>,
    ) -> PyResult<Self> {
        let Sizes { steps, batch, fed, .. } = sizes;
        let first = optional::<R>(op, "previous", first.as_ref())?;
        let values = optional::<R>(op, "targets", values.as_ref())?;
        let ids = tokens.as_ref().map(|tokens| ids(op, "targets", tokens)).transpose()?;
        if let Some(first) = &first {
            check_shape(op, "previous", first.shape(), &[("B", Some(batch)), ("O", Some(fed))])?;
        }
        if let Some(values) = &values {
            let axes = [("T", Some(steps)), ("B", Some(batch)), ("O", Some(fed))];
            check_shape(op, "targets", values.shape(), &axes)?;
        }
        if let Some(ids) = &ids {
            check_shape(op, "targets", ids.shape(), &[("T", Some(steps)), ("B", Some(batch))])?;
            check_tokens(op, "targets", slice(ids)?, sizes.outputs)?;
        }
        Ok(Feed { first, values, ids })
    }

    /// Returns the feedback for the computation. `table` may be empty if no token is added to a.
    pub(super) fn fed<'a>(&'a self, table: &'a [R]) -> PyResult<Fed<'a, R>> {
        let later = match (&self.values, &self.ids) {
            (Some(values), _) => Later::Values(slice(values)?),
            (None, ids) => Later::Tokens { ids: optional_slice(ids.as_ref())?.unwrap_or(&[]), table },
        };
        Ok(Fed { first: optional_slice(self.first.as_ref())?, later })
    }
}

pub(super) type Lengths<'py> = Option<PyReadonlyArrayDyn<'py, i64>>;

pub(super) fn open_lengths<'py>(sizes: Sizes, lengths: Option<&Any<'py>>) -> PyResult<Lengths<'py>> {
    let lengths = lengths.map(|lengths| ids(FORWARD, "lengths", lengths)).transpose()?;
    if let Some(lengths) = &lengths {
        check_shape(FORWARD, "lengths", lengths.shape(), &[("B", Some(sizes.batch))])?;
        check_lengths(FORWARD, Some(slice(lengths)?), sizes.steps)?;
    }
    Ok(lengths)
}

pub(super) fn activation(op: &str, name: &str) -> PyResult<Activation> {
    match cell(name)? {
        Cell::Rnn(activation) => Ok(activation),
        _ => Err(value_error(op, "activation", "an activation", &format!("\"{name}\""))),
    }
}

/// Returns the form of the feedback if it consists of values; None for tokens.
pub(super) fn own(op: &str, feedback: &str) -> PyResult<Option<Own>> {
    match feedback {
        "output" => Ok(Some(Own::Output)),
        "softmax" => Ok(Some(Own::Softmax)),
        "sample" | "argmax" => Ok(None),
        _ => {
            let expected = "one of output, softmax, sample, argmax";
            Err(value_error(op, "feedback", expected, &format!("\"{feedback}\"")))
        }
    }
}

pub(super) fn first_tokens<'py>(sizes: Sizes, first: Option<&Any<'py>>) -> PyResult<Lengths<'py>> {
    let first = first.map(|first| ids(FORWARD, "previous", first)).transpose()?;
    if let Some(first) = &first {
        check_shape(FORWARD, "previous", first.shape(), &[("B", Some(sizes.batch))])?;
        check_tokens(FORWARD, "previous", slice(first)?, sizes.outputs)?;
    }
    Ok(first)
}

pub(super) fn open_keys(sizes: Sizes, keys: &Any<'_>) -> PyResult<Vec<u64>> {
    let keys = ids(FORWARD, "keys", keys)?;
    check_shape(FORWARD, "keys", keys.shape(), &[("B", Some(sizes.batch))])?;
    Ok(slice(&keys)?.iter().map(|&key| key as u64).collect())
}
