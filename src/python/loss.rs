//! Losses: each gives (L, the losses of the positions, do or None).

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{
    Number, by_kind, ids, input, optional, optional_slice, output, rows_and_columns, slice, target,
};
use super::layers::{check_last, linear_layer};
use crate::error::{Result, check_shape};
use crate::loss::{self, LinearGradients, Loss, Reduction, Targets, Weighting};

type Triple<'py> = (f64, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(softmax_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(sigmoid_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(squared_error, module)?)?;
    module.add_function(wrap_pyfunction!(linear_softmax_cross_entropy, module)?)?;
    Ok(())
}

fn reduction(mean: bool) -> Reduction {
    if mean { Reduction::Mean } else { Reduction::Sum }
}

/// Checks that an array has one number for each position.
fn check_positions(
    op: &'static str,
    argument: &'static str,
    shape: &[usize],
    positions: &[usize],
) -> PyResult<()> {
    let letters = ["T", "B"];
    let letter = |i: usize| {
        if positions.len() == 2 { letters[i] } else { "n" }
    };
    let expected: Vec<_> = positions.iter().enumerate().map(|(i, &n)| (letter(i), Some(n))).collect();
    Ok(check_shape(op, argument, shape, &expected)?)
}

fn copy<R: Number>(op: &'static str, from: &[R]) -> Result<Vec<R>> {
    let mut to = crate::parallel::scratch(op, &[from.len()])?;
    to.copy_from_slice(from);
    Ok(to)
}

/// Runs a loss that turns a copy of o into do.
fn run<'py, R: Number>(
    py: Python<'py>,
    op: &'static str,
    o: &PyReadonlyArrayDyn<'py, R>,
    gradient: bool,
    f: impl FnOnce(&mut [R]) -> Result<Loss<R>> + Send,
) -> PyResult<Triple<'py>> {
    let numbers = slice(o)?;
    let (loss, dout) = py.detach(|| {
        let mut work = copy(op, numbers)?;
        let loss = f(&mut work)?;
        Ok::<_, crate::Error>((loss, gradient.then_some(work)))
    })?;
    let positions = output(py, &o.shape()[..o.ndim() - 1], loss.positions)?;
    Ok((loss.total, positions, dout.map(|d| output(py, o.shape(), d)).transpose()?))
}

/// Softmax cross-entropy of o (…, O) against the ids y (…).
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn softmax_cross_entropy<'py>(
    py: Python<'py>,
    o: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    ignore: Option<i64>,
    label_smoothing: f64,
    mean: bool,
    gradient: bool,
) -> PyResult<Triple<'py>> {
    const OP: &str = "SoftmaxCrossEntropy";
    by_kind!(OP, "o", o, R => {
        let (o, y, weights) = (input::<R>(OP, "o", o)?, ids(OP, "y", y)?, optional::<R>(OP, "weights", weights)?);
        let (_, classes) = rows_and_columns(OP, "o", o.shape())?;
        let positions = &o.shape()[..o.ndim() - 1];
        check_positions(OP, "y", y.shape(), positions)?;
        weights.iter().try_for_each(|w| check_positions(OP, "weights", w.shape(), positions))?;
        let weighting = Weighting { weights: optional_slice(weights.as_ref())?, reduction: reduction(mean) };
        let targets = Targets { ids: slice(&y)?, ignore, smoothing: label_smoothing, weighting };
        run(py, OP, &o, gradient, |o| loss::softmax_cross_entropy(o, classes, targets))
    })
}

/// Sigmoid cross-entropy of o (…, O) against y (…, O) in 0..1.
#[pyfunction]
fn sigmoid_cross_entropy<'py>(
    py: Python<'py>,
    o: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    mean: bool,
    gradient: bool,
) -> PyResult<Triple<'py>> {
    const OP: &str = "SigmoidCrossEntropy";
    elementwise(py, OP, (o, y, weights), mean, gradient, ElementLoss::Sigmoid)
}

/// Squared error of o (…, O) against y (…, O).
#[pyfunction]
fn squared_error<'py>(
    py: Python<'py>,
    o: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    mean: bool,
    gradient: bool,
) -> PyResult<Triple<'py>> {
    const OP: &str = "SquaredError";
    elementwise(py, OP, (o, y, weights), mean, gradient, ElementLoss::Squared)
}

#[derive(Clone, Copy)]
enum ElementLoss {
    Sigmoid,
    Squared,
}

type Arrays<'a, 'py> = (&'a Bound<'py, PyAny>, &'a Bound<'py, PyAny>, Option<&'a Bound<'py, PyAny>>);

fn elementwise<'py>(
    py: Python<'py>,
    op: &'static str,
    (o, y, weights): Arrays<'_, 'py>,
    mean: bool,
    gradient: bool,
    which: ElementLoss,
) -> PyResult<Triple<'py>> {
    by_kind!(op, "o", o, R => {
        let (o, y, weights) = (input::<R>(op, "o", o)?, input::<R>(op, "y", y)?, optional::<R>(op, "weights", weights)?);
        let (_, columns) = rows_and_columns(op, "o", o.shape())?;
        let wanted: Vec<_> = o.shape().iter().map(|&n| ("n", Some(n))).collect();
        check_shape(op, "y", y.shape(), &wanted)?;
        let positions = &o.shape()[..o.ndim() - 1];
        weights.iter().try_for_each(|w| check_positions(op, "weights", w.shape(), positions))?;
        let weighting = Weighting { weights: optional_slice(weights.as_ref())?, reduction: reduction(mean) };
        let y = slice(&y)?;
        run(py, op, &o, gradient, |o| match which {
            ElementLoss::Sigmoid => loss::sigmoid_cross_entropy(o, columns, y, weighting),
            ElementLoss::Squared => loss::squared_error(o, columns, y, weighting),
        })
    })
}

/// Output layer, softmax and cross-entropy in one: h (…, H) → (L, losses, dh or None); adds to dV and dc.
#[pyfunction]
#[pyo3(signature = (h, V, c, y, weights, ignore, label_smoothing, mean, dV=None, dc=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn linear_softmax_cross_entropy<'py>(
    py: Python<'py>,
    h: &Bound<'py, PyAny>,
    V: &Bound<'py, PyAny>,
    c: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    ignore: Option<i64>,
    label_smoothing: f64,
    mean: bool,
    dV: Option<&Bound<'py, PyAny>>,
    dc: Option<&Bound<'py, PyAny>>,
) -> PyResult<Triple<'py>> {
    const OP: &str = "SoftmaxCrossEntropy.through";
    by_kind!(OP, "V", V, R => {
        let (h, v, c) = (input::<R>(OP, "h", h)?, input::<R>(OP, "V", V)?, input::<R>(OP, "c", c)?);
        let (y, weights) = (ids(OP, "y", y)?, optional::<R>(OP, "weights", weights)?);
        let layer = linear_layer(OP, &v, &c)?;
        check_last(OP, "h", h.shape(), "H", layer.inputs)?;
        let places = &h.shape()[..h.ndim() - 1];
        check_positions(OP, "y", y.shape(), places)?;
        weights.iter().try_for_each(|w| check_positions(OP, "weights", w.shape(), places))?;
        let mut into = match (dV, dc) {
            (Some(dv), Some(dc)) => Some((target::<R>(OP, "dV", dv)?, target::<R>(OP, "dc", dc)?)),
            _ => None,
        };
        if let Some((dv, dc)) = &into {
            check_shape(OP, "dV", dv.shape(), &[("O", Some(layer.outputs)), ("H", Some(layer.inputs))])?;
            check_shape(OP, "dc", dc.shape(), &[("O", Some(layer.outputs))])?;
        }
        let weighting = Weighting { weights: optional_slice(weights.as_ref())?, reduction: reduction(mean) };
        let targets = Targets { ids: slice(&y)?, ignore, smoothing: label_smoothing, weighting };
        let numbers = slice(&h)?;
        let mut dh = match into {
            Some(_) => Some(crate::parallel::scratch::<R>(OP, &[numbers.len()])?),
            None => None,
        };
        let gradients = match (&mut into, &mut dh) {
            (Some((dv, dc)), Some(dh)) => Some(LinearGradients { h: dh, v: dv.as_slice_mut()?, c: dc.as_slice_mut()? }),
            _ => None,
        };
        let loss = py.detach(|| loss::linear_softmax_cross_entropy(layer, numbers, targets, gradients))?;
        let dh = dh.map(|dh| output(py, h.shape(), dh)).transpose()?;
        Ok((loss.total, output(py, places, loss.positions)?, dh))
    })
}
