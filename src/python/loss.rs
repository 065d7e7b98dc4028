//! Losses: each returns (L, the losses of the positions, do or None).

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{
    Number, by_kind, ids, input, optional, optional_slice, output, rows_and_columns, slice, target,
};
use super::error::value_error;
use super::layers::{check_last, linear_layer};
use crate::error::{Result, check_shape};
use crate::layers::linear::Linear;
use crate::loss::{
    self, LinearGradients, Loss, Mixture, MixtureGradients, Reduction, Rule, Sample, Targets, Weighting,
};

type Triple<'py> = (f64, Bound<'py, PyAny>, Option<Bound<'py, PyAny>>);

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(softmax_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(sigmoid_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(squared_error, module)?)?;
    module.add_function(wrap_pyfunction!(linear_softmax_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(linear_mixture_cross_entropy, module)?)?;
    module.add_function(wrap_pyfunction!(linear_sampled_loss, module)?)?;
    Ok(())
}

fn reduction(mean: bool) -> Reduction {
    if mean { Reduction::Mean } else { Reduction::Sum }
}

/// Checks that an array has one element per position.
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

/// Returns the softmax cross-entropy of o (…, O) against the ids y (…).
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
        let targets = Targets { ids: slice(&y)?, ignore, smoothing: label_smoothing, weighting, mixture: None };
        run(py, OP, &o, gradient, |o| loss::softmax_cross_entropy(o, classes, targets))
    })
}

/// Returns the sigmoid cross-entropy of o (…, O) against y (…, O) in 0..1.
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

/// Returns the squared error of o (…, O) against y (…, O).
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

/// Computes output layer, softmax and cross-entropy in one function: h (…, H) → (L, losses, dh or None);
/// adds to dV and dc.
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
        through::<R>(py, OP, [h, V, c, y], weights, [dV, dc], |layer, h, (ids, weights), gradients| {
            let weighting = Weighting { weights, reduction: reduction(mean) };
            let targets = Targets { ids, ignore, smoothing: label_smoothing, weighting, mixture: None };
            loss::linear_softmax_cross_entropy(layer, h, targets, gradients)
        })
    })
}

/// (L, losses, dh), and the gradients of the gate and of the copy probabilities.
type Mixed<'py> = (Triple<'py>, Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>);

/// Computes `linear_softmax_cross_entropy` for a mixture of softmax and copying: gate and copied (…); ids
/// from O on are not classes.
#[pyfunction]
#[pyo3(signature = (h, V, c, y, gate, copied, weights, ignore, mean, dV=None, dc=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn linear_mixture_cross_entropy<'py>(
    py: Python<'py>,
    h: &Bound<'py, PyAny>,
    V: &Bound<'py, PyAny>,
    c: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    gate: &Bound<'py, PyAny>,
    copied: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    ignore: Option<i64>,
    mean: bool,
    dV: Option<&Bound<'py, PyAny>>,
    dc: Option<&Bound<'py, PyAny>>,
) -> PyResult<Mixed<'py>> {
    const OP: &str = "CopyCrossEntropy.through";
    by_kind!(OP, "V", V, R => {
        let (gate, copied) = (input::<R>(OP, "gate", gate)?, input::<R>(OP, "copied", copied)?);
        let y_ = ids(OP, "y", y)?;
        check_positions(OP, "gate", gate.shape(), y_.shape())?;
        check_positions(OP, "copied", copied.shape(), y_.shape())?;
        let mixture = Mixture { gate: slice(&gate)?, copied: slice(&copied)? };
        let mut into = match dV {
            Some(_) => Some((
                crate::parallel::scratch::<R>(OP, &[gate.len()])?,
                crate::parallel::scratch::<R>(OP, &[gate.len()])?,
            )),
            None => None,
        };
        let triple = through::<R>(py, OP, [h, V, c, y], weights, [dV, dc], |layer, h, (ids, weights), gradients| {
            let weighting = Weighting { weights, reduction: reduction(mean) };
            let targets = Targets { ids, ignore, smoothing: 0.0, weighting, mixture: None };
            let mixed = into.as_mut().map(|(gate, copied)| MixtureGradients { gate, copied });
            loss::linear_mixture_cross_entropy(layer, h, (targets, mixture), gradients.zip(mixed))
        })?;
        let shape = y_.shape().to_vec();
        let into = match into {
            Some((gate, copied)) => Some((output(py, &shape, gate)?, output(py, &shape, copied)?)),
            None => None,
        };
        Ok((triple, into))
    })
}

/// Computes `linear_softmax_cross_entropy` over the correct classes and a sample only: `rule` is "softmax" or
/// "nce"; `classes` (n) are distinct and increasing; `counts` (n) holds how often each was sampled;
/// `log_expected` (O) is subtracted from the scores.
#[pyfunction]
#[pyo3(signature = (h, V, c, y, weights, ignore, mean, rule, classes, counts, log_expected, dV=None, dc=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn linear_sampled_loss<'py>(
    py: Python<'py>,
    h: &Bound<'py, PyAny>,
    V: &Bound<'py, PyAny>,
    c: &Bound<'py, PyAny>,
    y: &Bound<'py, PyAny>,
    weights: Option<&Bound<'py, PyAny>>,
    ignore: Option<i64>,
    mean: bool,
    rule: &str,
    classes: &Bound<'py, PyAny>,
    counts: &Bound<'py, PyAny>,
    log_expected: &Bound<'py, PyAny>,
    dV: Option<&Bound<'py, PyAny>>,
    dc: Option<&Bound<'py, PyAny>>,
) -> PyResult<Triple<'py>> {
    let (op, rule) = match rule {
        "softmax" => ("SampledSoftmax.through", Rule::Softmax),
        "nce" => ("NCE.through", Rule::Nce),
        _ => return Err(value_error("linear_sampled_loss", "rule", "\"softmax\" or \"nce\"", rule)),
    };
    let (classes, counts) = (ids(op, "classes", classes)?, ids(op, "counts", counts)?);
    let log_expected = input::<f64>(op, "log_expected", log_expected)?;
    let sample =
        Sample { classes: slice(&classes)?, counts: slice(&counts)?, log_expected: slice(&log_expected)? };
    by_kind!(op, "V", V, R => {
        through::<R>(py, op, [h, V, c, y], weights, [dV, dc], |layer, h, (ids, weights), gradients| {
            let weighting = Weighting { weights, reduction: reduction(mean) };
            let targets = Targets { ids, ignore, smoothing: 0.0, weighting, mixture: None };
            loss::linear_sampled_loss(layer, h, targets, (rule, sample), gradients)
        })
    })
}

/// Runs a loss that is fused with the output layer: opens h, V, c, y, the weights, dV and dc.
fn through<'py, R: Number>(
    py: Python<'py>,
    op: &'static str,
    [h, v, c, y]: [&Bound<'py, PyAny>; 4],
    weights: Option<&Bound<'py, PyAny>>,
    [dv, dc]: [Option<&Bound<'py, PyAny>>; 2],
    f: impl FnOnce(Linear<'_, R>, &[R], (&[i64], Option<&[R]>), Option<LinearGradients<'_, R>>) -> Result<Loss<R>>
    + Send,
) -> PyResult<Triple<'py>> {
    let (h, v, c) = (input::<R>(op, "h", h)?, input::<R>(op, "V", v)?, input::<R>(op, "c", c)?);
    let (y, weights) = (ids(op, "y", y)?, optional::<R>(op, "weights", weights)?);
    let layer = linear_layer(op, &v, &c)?;
    check_last(op, "h", h.shape(), "H", layer.inputs)?;
    let places = &h.shape()[..h.ndim() - 1];
    check_positions(op, "y", y.shape(), places)?;
    weights.iter().try_for_each(|w| check_positions(op, "weights", w.shape(), places))?;
    let mut into = match (dv, dc) {
        (Some(dv), Some(dc)) => Some((target::<R>(op, "dV", dv)?, target::<R>(op, "dc", dc)?)),
        _ => None,
    };
    if let Some((dv, dc)) = &into {
        check_shape(op, "dV", dv.shape(), &[("O", Some(layer.outputs)), ("H", Some(layer.inputs))])?;
        check_shape(op, "dc", dc.shape(), &[("O", Some(layer.outputs))])?;
    }
    let (numbers, given) = (slice(&h)?, (slice(&y)?, optional_slice(weights.as_ref())?));
    let mut dh = match into {
        Some(_) => Some(crate::parallel::scratch::<R>(op, &[numbers.len()])?),
        None => None,
    };
    let gradients = match (&mut into, &mut dh) {
        (Some((dv, dc)), Some(dh)) => {
            Some(LinearGradients { h: dh, v: dv.as_slice_mut()?, c: dc.as_slice_mut()? })
        }
        _ => None,
    };
    let loss = py.detach(|| f(layer, numbers, given, gradients))?;
    let dh = dh.map(|dh| output(py, h.shape(), dh)).transpose()?;
    Ok((loss.total, output(py, places, loss.positions)?, dh))
}
