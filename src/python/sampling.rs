//! Selection of tokens.

use numpy::{PyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{by_kind, input, output, rows_and_columns, slice};
use crate::error::check_shape;
use crate::sampling::{self, Sampling};

/// Samples a token from softmax(logits / temperature) at u, uniform on [0, 1).
#[pyfunction]
#[pyo3(signature = (logits, temperature, top_k, top_p, u))]
pub(super) fn sample(
    logits: &Bound<'_, PyAny>,
    temperature: f64,
    top_k: usize,
    top_p: f64,
    u: f64,
) -> PyResult<usize> {
    const OP: &str = "sample";
    by_kind!(OP, "logits", logits, R => {
        let logits = input::<R>(OP, "logits", logits)?;
        check_shape(OP, "logits", logits.shape(), &[("V", None)])?;
        Ok(Sampling { temperature, top_k, top_p }.choose(slice(&logits)?, u)?)
    })
}

/// Returns the k largest elements of a vector: (indices, values), the largest first.
#[pyfunction]
pub(super) fn top_k<'py>(
    py: Python<'py>,
    values: &Bound<'py, PyAny>,
    k: usize,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    const OP: &str = "top_k";
    by_kind!(OP, "values", values, R => {
        let values = input::<R>(OP, "values", values)?;
        check_shape(OP, "values", values.shape(), &[("n", None)])?;
        let values = slice(&values)?;
        let places = sampling::top_k(values, k);
        let best: Vec<R> = places.iter().map(|&i| values[i]).collect();
        let places: Vec<i64> = places.into_iter().map(|i| i as i64).collect();
        let n = best.len();
        Ok((PyArray1::from_vec(py, places).into_any(), output(py, &[n], best)?))
    })
}

/// Returns log softmax along the last axis.
#[pyfunction]
pub(super) fn log_softmax<'py>(py: Python<'py>, o: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "log_softmax";
    by_kind!(OP, "o", o, R => {
        let o = input::<R>(OP, "o", o)?;
        let (_, columns) = rows_and_columns(OP, "o", o.shape())?;
        let mut result: Vec<R> = crate::parallel::scratch(OP, &[o.len()])?;
        result.copy_from_slice(slice(&o)?);
        py.detach(|| sampling::log_softmax(&mut result, columns));
        output(py, o.shape(), result)
    })
}
