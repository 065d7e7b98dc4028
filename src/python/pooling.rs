//! Pooling of sequences.

use numpy::{IntoPyArray, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{by_kind, ids, input, optional, optional_slice, output, slice};
use super::attention::steps;
use crate::error::check_shape;
use crate::layers::pooling::{self, Sequences};

type Any<'py> = Bound<'py, PyAny>;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(pool_weighted, module)?)?;
    module.add_function(wrap_pyfunction!(pool_weighted_backward, module)?)?;
    module.add_function(wrap_pyfunction!(pool_largest, module)?)?;
    module.add_function(wrap_pyfunction!(pool_largest_backward, module)?)?;
    Ok(())
}

/// Returns (y (B, H), α (T, B)): means of h (T, B, H), weighted by the softmax of e (T, B) if
/// there are scores.
#[pyfunction]
#[pyo3(signature = (h, e, lengths))]
fn pool_weighted<'py>(
    py: Python<'py>,
    h: &Any<'py>,
    e: Option<&Any<'py>>,
    lengths: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>)> {
    const OP: &str = "Pooling.forward";
    by_kind!(OP, "h", h, R => {
        let (h, e) = (input::<R>(OP, "h", h)?, optional::<R>(OP, "e", e)?);
        check_shape(OP, "h", h.shape(), &[("T", None), ("B", None), ("H", None)])?;
        let (most, batch, width) = (h.shape()[0], h.shape()[1], h.shape()[2]);
        if let Some(e) = &e {
            check_shape(OP, "e", e.shape(), &[("T", Some(most)), ("B", Some(batch))])?;
        }
        let lengths = steps(OP, "lengths", lengths, (most, batch))?;
        let of = Sequences { steps: most, width, lengths: &lengths };
        let (h, e) = (slice(&h)?, optional_slice(e.as_ref())?);
        let (y, alpha) = py.detach(|| pooling::weighted(of, h, e))?;
        Ok((output(py, &[batch, width], y)?, output(py, &[most, batch], alpha)?))
    })
}

/// Returns (dh (T, B, H), de (T, B) or None), given dy (B, H).
#[pyfunction]
#[pyo3(signature = (h, alpha, dy, lengths, need_de))]
fn pool_weighted_backward<'py>(
    py: Python<'py>,
    h: &Any<'py>,
    alpha: &Any<'py>,
    dy: &Any<'py>,
    lengths: Option<&Any<'py>>,
    need_de: bool,
) -> PyResult<(Any<'py>, Option<Any<'py>>)> {
    const OP: &str = "Pooling.backward";
    by_kind!(OP, "h", h, R => {
        let (h, alpha, dy) = (input::<R>(OP, "h", h)?, input::<R>(OP, "alpha", alpha)?, input::<R>(OP, "dy", dy)?);
        check_shape(OP, "h", h.shape(), &[("T", None), ("B", None), ("H", None)])?;
        let (most, batch, width) = (h.shape()[0], h.shape()[1], h.shape()[2]);
        check_shape(OP, "alpha", alpha.shape(), &[("T", Some(most)), ("B", Some(batch))])?;
        check_shape(OP, "dy", dy.shape(), &[("B", Some(batch)), ("H", Some(width))])?;
        let lengths = steps(OP, "lengths", lengths, (most, batch))?;
        let of = Sequences { steps: most, width, lengths: &lengths };
        let shape = h.shape().to_vec();
        let (h, alpha, dy) = (slice(&h)?, slice(&alpha)?, slice(&dy)?);
        let (dh, de) = py.detach(|| pooling::weighted_backward(of, h, alpha, dy, need_de))?;
        let de = de.map(|de| output(py, &[most, batch], de)).transpose()?;
        Ok((output(py, &shape, dh)?, de))
    })
}

/// Returns (y (B, H), the steps (B, H)): the maxima of h (T, B, H) over time and the steps at
/// which they occur.
#[pyfunction]
#[pyo3(signature = (h, lengths))]
fn pool_largest<'py>(
    py: Python<'py>,
    h: &Any<'py>,
    lengths: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>)> {
    const OP: &str = "Pooling.forward";
    by_kind!(OP, "h", h, R => {
        let h = input::<R>(OP, "h", h)?;
        check_shape(OP, "h", h.shape(), &[("T", None), ("B", None), ("H", None)])?;
        let (most, batch, width) = (h.shape()[0], h.shape()[1], h.shape()[2]);
        let lengths = steps(OP, "lengths", lengths, (most, batch))?;
        let of = Sequences { steps: most, width, lengths: &lengths };
        let h = slice(&h)?;
        let (y, at) = py.detach(|| pooling::largest(of, h))?;
        Ok((output(py, &[batch, width], y)?, at.into_pyarray(py).reshape([batch, width])?.into_any()))
    })
}

/// Returns dh (T, B, H), given dy (B, H).
#[pyfunction]
#[pyo3(signature = (at, dy, most, lengths))]
fn pool_largest_backward<'py>(
    py: Python<'py>,
    at: &Any<'py>,
    dy: &Any<'py>,
    most: usize,
    lengths: Option<&Any<'py>>,
) -> PyResult<Any<'py>> {
    const OP: &str = "Pooling.backward";
    by_kind!(OP, "dy", dy, R => {
        let (at, dy) = (ids(OP, "at", at)?, input::<R>(OP, "dy", dy)?);
        check_shape(OP, "at", at.shape(), &[("B", None), ("H", None)])?;
        let (batch, width) = (at.shape()[0], at.shape()[1]);
        check_shape(OP, "dy", dy.shape(), &[("B", Some(batch)), ("H", Some(width))])?;
        let lengths = steps(OP, "lengths", lengths, (most, batch))?;
        let of = Sequences { steps: most, width, lengths: &lengths };
        let (at, dy) = (slice(&at)?, slice(&dy)?);
        let dh = py.detach(|| pooling::largest_backward(of, at, dy))?;
        output(py, &[most, batch, width], dh)
    })
}
