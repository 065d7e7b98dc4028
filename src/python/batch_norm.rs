//! Batch normalization.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::array::{by_kind, input, optional, output, slice, target};
use super::conv::activation;
use super::error::value_error;
use super::layers::check_last;
use crate::error::check_shape;
use crate::kernels::Activation;
use crate::layers::batch_norm::{self, BatchNorm, Passed, Statistics};

type Any<'py> = Bound<'py, PyAny>;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(batch_norm_forward, module)?)?;
    module.add_function(wrap_pyfunction!(batch_norm_backward, module)?)?;
    Ok(())
}

/// Returns (y (…, C), μ (C), σ² (C)), given x (…, C): normalized with its own statistics or
/// with the given ones.
#[pyfunction]
#[pyo3(signature = (x, gamma, beta, statistics, epsilon, activation))]
fn batch_norm_forward<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    gamma: &Any<'py>,
    beta: &Any<'py>,
    statistics: Option<(Any<'py>, Any<'py>)>,
    epsilon: f64,
    activation: &str,
) -> PyResult<(Any<'py>, Any<'py>, Any<'py>)> {
    const OP: &str = "BatchNorm.forward";
    let f = self::activation(OP, activation)?;
    by_kind!(OP, "gamma", gamma, R => {
        let (x, gamma) = (input::<R>(OP, "x", x)?, input::<R>(OP, "gamma", gamma)?);
        let beta = input::<R>(OP, "beta", beta)?;
        check_shape(OP, "gamma", gamma.shape(), &[("C", None)])?;
        let columns = gamma.shape()[0];
        check_shape(OP, "beta", beta.shape(), &[("C", Some(columns))])?;
        check_last(OP, "x", x.shape(), "C", columns)?;
        let given = statistics.map(|(mean, variance)| given::<R>(OP, &mean, &variance, columns)).transpose()?;
        let layer = BatchNorm { gamma: slice(&gamma)?, beta: slice(&beta)?, epsilon, activation: f };
        let numbers = slice(&x)?;
        let (y, used) = py.detach(|| {
            let used = given.map_or_else(|| batch_norm::statistics(numbers, columns), Ok)?;
            batch_norm::forward(layer, numbers, &used).map(|y| (y, used))
        })?;
        let [mean, variance] = [used.mean, used.variance].map(|of| output(py, &[columns], of));
        Ok((output(py, x.shape(), y)?, mean?, variance?))
    })
}

/// Opens the statistics of the columns.
fn given<R: super::array::Number>(
    op: &'static str,
    mean: &Any<'_>,
    variance: &Any<'_>,
    columns: usize,
) -> PyResult<Statistics<R>> {
    let (mean, variance) = (input::<R>(op, "mean", mean)?, input::<R>(op, "variance", variance)?);
    check_shape(op, "mean", mean.shape(), &[("C", Some(columns))])?;
    check_shape(op, "variance", variance.shape(), &[("C", Some(columns))])?;
    Ok(Statistics { mean: slice(&mean)?.to_vec(), variance: slice(&variance)?.to_vec() })
}

/// Adds to dγ and dβ; returns dx (…, C). `own` says whether the statistics are x's own. y may be None
/// without an activation.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn batch_norm_backward<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    y: Option<&Any<'py>>,
    gamma: &Any<'py>,
    statistics: (Any<'py>, Any<'py>, bool),
    dy: &Any<'py>,
    dgamma: &Any<'py>,
    dbeta: &Any<'py>,
    epsilon: f64,
    activation: &str,
) -> PyResult<Any<'py>> {
    const OP: &str = "BatchNorm.backward";
    let f = self::activation(OP, activation)?;
    by_kind!(OP, "gamma", gamma, R => {
        let (x, y) = (input::<R>(OP, "x", x)?, optional::<R>(OP, "y", y)?);
        let (gamma, dy) = (input::<R>(OP, "gamma", gamma)?, input::<R>(OP, "dy", dy)?);
        let (mut dgamma, mut dbeta) = (target::<R>(OP, "dgamma", dgamma)?, target::<R>(OP, "dbeta", dbeta)?);
        check_shape(OP, "gamma", gamma.shape(), &[("C", None)])?;
        let columns = gamma.shape()[0];
        check_last(OP, "x", x.shape(), "C", columns)?;
        let of_x: Vec<_> = x.shape().iter().map(|&n| ("n", Some(n))).collect();
        check_shape(OP, "dy", dy.shape(), &of_x)?;
        for (name, shape) in [("dgamma", dgamma.shape()), ("dbeta", dbeta.shape())] {
            check_shape(OP, name, shape, &[("C", Some(columns))])?;
        }
        let y = match (&y, f) {
            (Some(y), _) => {
                check_shape(OP, "y", y.shape(), &of_x)?;
                slice(y)?
            }
            (None, Activation::Identity) => &[],
            (None, _) => return Err(value_error(OP, "y", "the layer's y, which its activation needs", "None")),
        };
        let (mean, variance, own) = statistics;
        let statistics = given::<R>(OP, &mean, &variance, columns)?;
        let layer = BatchNorm { gamma: slice(&gamma)?, beta: &[], epsilon, activation: f };
        let passed = Passed { x: slice(&x)?, y, statistics: &statistics, own };
        let (dy, into) = (slice(&dy)?, (dgamma.as_slice_mut()?, dbeta.as_slice_mut()?));
        let dx = py.detach(|| batch_norm::backward(layer, passed, dy, into))?;
        output(py, x.shape(), dx)
    })
}
