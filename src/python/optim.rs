//! Gradient clipping and the optimizers' updates, in place on flat vectors.

use numpy::{PyReadonlyArray1, PyReadwriteArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{by_kind, ids, input, slice, target, target_when_free};
use crate::error::check_shape;
use crate::kernels;
use crate::optim::{self, Spans};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(sgd, module)?)?;
    module.add_function(wrap_pyfunction!(adagrad, module)?)?;
    module.add_function(wrap_pyfunction!(rmsprop, module)?)?;
    module.add_function(wrap_pyfunction!(adam, module)?)?;
    module.add_function(wrap_pyfunction!(clip_norm, module)?)?;
    module.add_function(wrap_pyfunction!(clipping, module)?)?;
    module.add_function(wrap_pyfunction!(clear, module)?)?;
    module.add_function(wrap_pyfunction!(clip_value, module)?)?;
    module.add_function(wrap_pyfunction!(to_bfloat16, module)?)?;
    module.add_function(wrap_pyfunction!(from_bfloat16, module)?)?;
    Ok(())
}

/// Opens the vectors of an update: parameters and state for modification, gradients for reading.
macro_rules! update {
    ($op:expr, $parameters:expr, $gradients:expr, [$($state:ident),*], |$p:ident, $g:ident| $body:expr) => {
        by_kind!($op, "parameters", $parameters, R => {
            let gradients = input::<R>($op, "gradients", $gradients)?;
            let mut parameters = target_when_free::<R>($op, "parameters", $parameters, &gradients)?;
            check_shape($op, "parameters", parameters.shape(), &[("n", None)])?;
            $(let mut $state = target::<R>($op, stringify!($state), $state)?;
              let $state = $state.as_slice_mut()?;)*
            let ($p, $g) = (parameters.as_slice_mut()?, slice(&gradients)?);
            $body
        })
    };
}

/// Performs a step of stochastic gradient descent, with momentum if there is a velocity.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn sgd(
    py: Python<'_>,
    parameters: &Bound<'_, PyAny>,
    gradients: &Bound<'_, PyAny>,
    velocity: Option<&Bound<'_, PyAny>>,
    learning_rate: f64,
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    scale: f64,
    spans: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    const OP: &str = "SGD.step";
    let spans = opened(OP, spans)?;
    let rule = optim::Sgd { learning_rate, momentum, nesterov, weight_decay };
    match velocity {
        Some(velocity) => update!(OP, parameters, gradients, [velocity], |p, g| {
            py.detach(|| rule.step(p, g, Some(velocity), (scale, as_spans(&spans))))?
        }),
        None => update!(OP, parameters, gradients, [], |p, g| py.detach(|| rule.step(
            p,
            g,
            None,
            (scale, as_spans(&spans))
        ))?),
    }
    Ok(())
}

/// Performs a step of Adagrad.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn adagrad(
    py: Python<'_>,
    parameters: &Bound<'_, PyAny>,
    gradients: &Bound<'_, PyAny>,
    squares: &Bound<'_, PyAny>,
    learning_rate: f64,
    epsilon: f64,
    weight_decay: f64,
    scale: f64,
) -> PyResult<()> {
    let rule = optim::Adagrad { learning_rate, epsilon, weight_decay };
    update!("Adagrad.step", parameters, gradients, [squares], |p, g| py
        .detach(|| rule.step(p, g, squares, scale))?);
    Ok(())
}

/// Performs a step of RMSProp.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn rmsprop(
    py: Python<'_>,
    parameters: &Bound<'_, PyAny>,
    gradients: &Bound<'_, PyAny>,
    squares: &Bound<'_, PyAny>,
    learning_rate: f64,
    decay: f64,
    epsilon: f64,
    weight_decay: f64,
    scale: f64,
) -> PyResult<()> {
    let rule = optim::RmsProp { learning_rate, decay, epsilon, weight_decay };
    update!("RMSProp.step", parameters, gradients, [squares], |p, g| py
        .detach(|| rule.step(p, g, squares, scale))?);
    Ok(())
}

/// Performs a step of Adam, or of AdamW if the weight decay is decoupled.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn adam(
    py: Python<'_>,
    parameters: &Bound<'_, PyAny>,
    gradients: &Bound<'_, PyAny>,
    mean: &Bound<'_, PyAny>,
    variance: &Bound<'_, PyAny>,
    step: u64,
    learning_rate: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    weight_decay: f64,
    decoupled: bool,
    scale: f64,
) -> PyResult<()> {
    let rule = optim::Adam { step, learning_rate, beta1, beta2, epsilon, weight_decay, decoupled };
    const OP: &str = "Adam.step";
    update!(OP, parameters, gradients, [mean, variance], |p, g| py.detach(|| rule.step(
        p,
        g,
        (mean, variance),
        scale
    ))?);
    Ok(())
}

/// Opens the spans in which a gradient may be nonzero: an array (n, 2), or None for all elements.
fn opened(op: &'static str, spans: Option<&Bound<'_, PyAny>>) -> PyResult<Option<Vec<[i64; 2]>>> {
    let Some(spans) = spans else { return Ok(None) };
    let array = ids(op, "spans", spans)?;
    check_shape(op, "spans", array.shape(), &[("n", None), ("2", Some(2))])?;
    Ok(Some(slice(&array)?.as_chunks::<2>().0.to_vec()))
}

fn as_spans(spans: &Option<Vec<[i64; 2]>>) -> Spans<'_> {
    spans.as_deref().map_or(Spans::All, Spans::Some)
}

/// Scales the gradients down to a norm of at most `max_norm`; returns the norm before scaling.
#[pyfunction]
#[pyo3(signature = (gradients, max_norm, spans=None))]
fn clip_norm(
    py: Python<'_>,
    gradients: &Bound<'_, PyAny>,
    max_norm: f64,
    spans: Option<&Bound<'_, PyAny>>,
) -> PyResult<f64> {
    const OP: &str = "clip_norm";
    let spans = opened(OP, spans)?;
    by_kind!(OP, "gradients", gradients, R => {
        let mut gradients = target::<R>(OP, "gradients", gradients)?;
        let gradients = gradients.as_slice_mut()?;
        Ok(py.detach(|| optim::clip_norm(gradients, max_norm, as_spans(&spans)))?)
    })
}

/// Returns the factor that scales the gradients to a norm of at most `max_norm`, and the norm.
#[pyfunction]
#[pyo3(signature = (gradients, max_norm, spans=None))]
fn clipping(
    py: Python<'_>,
    gradients: &Bound<'_, PyAny>,
    max_norm: f64,
    spans: Option<&Bound<'_, PyAny>>,
) -> PyResult<(f64, f64)> {
    const OP: &str = "clip_norm";
    let spans = opened(OP, spans)?;
    by_kind!(OP, "gradients", gradients, R => {
        let gradients = input::<R>(OP, "gradients", gradients)?;
        let gradients = slice(&gradients)?;
        Ok(py.detach(|| optim::clipping(gradients, max_norm, as_spans(&spans)))?)
    })
}

/// Sets the gradients to zero within the spans.
#[pyfunction]
#[pyo3(signature = (gradients, spans=None))]
fn clear(py: Python<'_>, gradients: &Bound<'_, PyAny>, spans: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
    const OP: &str = "Parameters.fill";
    let spans = opened(OP, spans)?;
    by_kind!(OP, "gradients", gradients, R => {
        let mut gradients = target::<R>(OP, "gradients", gradients)?;
        let gradients = gradients.as_slice_mut()?;
        py.detach(|| optim::clear(gradients, as_spans(&spans)))?;
    });
    Ok(())
}

/// Clamps every gradient to ±limit.
#[pyfunction]
fn clip_value(py: Python<'_>, gradients: &Bound<'_, PyAny>, limit: f64) -> PyResult<()> {
    const OP: &str = "clip_value";
    by_kind!(OP, "gradients", gradients, R => {
        let mut gradients = target::<R>(OP, "gradients", gradients)?;
        let gradients = gradients.as_slice_mut()?;
        Ok(py.detach(|| optim::clip_value(gradients, limit))?)
    })
}

/// Rounds float32 numbers to bfloat16, which are stored as uint16.
#[pyfunction]
fn to_bfloat16(
    py: Python<'_>,
    x: PyReadonlyArray1<'_, f32>,
    mut rounded: PyReadwriteArray1<'_, u16>,
) -> PyResult<()> {
    check_shape("to_bfloat16", "rounded", rounded.shape(), &[("n", Some(x.len()))])?;
    let (x, rounded) = (x.as_slice()?, rounded.as_slice_mut()?);
    py.detach(|| kernels::to_bfloat16(x, rounded));
    Ok(())
}

/// Converts bfloat16 numbers to float32.
#[pyfunction]
fn from_bfloat16(
    py: Python<'_>,
    rounded: PyReadonlyArray1<'_, u16>,
    mut x: PyReadwriteArray1<'_, f32>,
) -> PyResult<()> {
    check_shape("from_bfloat16", "x", x.shape(), &[("n", Some(rounded.len()))])?;
    let (rounded, x) = (rounded.as_slice()?, x.as_slice_mut()?);
    py.detach(|| kernels::from_bfloat16(rounded, x));
    Ok(())
}
