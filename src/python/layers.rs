//! Embedding, linear layer and recurrence.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{
    Number, by_kind, ids, input, optional, optional_slice, output, rows_and_columns, slice, target, with_last,
};
use super::error::value_error;
use crate::error::check_shape;
use crate::kernels::Activation;
use crate::layers::linear::{self, Linear};
use crate::layers::recurrence::{self, Sizes, WeightGradients, Weights};
use crate::layers::{embedding, rnn::Rnn};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(embedding_forward, module)?)?;
    module.add_function(wrap_pyfunction!(embedding_backward, module)?)?;
    module.add_function(wrap_pyfunction!(linear_forward, module)?)?;
    module.add_function(wrap_pyfunction!(linear_backward, module)?)?;
    module.add_function(wrap_pyfunction!(rnn_forward, module)?)?;
    module.add_function(wrap_pyfunction!(rnn_forward_rows, module)?)?;
    module.add_function(wrap_pyfunction!(rnn_recurrent_gradient, module)?)?;
    module.add_function(wrap_pyfunction!(rnn_backward, module)?)?;
    module.add_function(wrap_pyfunction!(rnn_gradients, module)?)?;
    Ok(())
}

/// The cell of that name.
pub(super) fn cell(op: &str, name: &str) -> PyResult<Rnn> {
    let activation = Activation::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
        value_error(op, "activation", &format!("one of {}", names.join(", ")), &format!("\"{name}\""))
    })?;
    Ok(Rnn { activation })
}

/// x (…, I) = E[ids].
#[pyfunction]
#[pyo3(signature = (ids, E))]
#[allow(non_snake_case)]
fn embedding_forward<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = keep)] ids: Bound<'py, PyAny>,
    E: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "Embedding.forward";
    by_kind!(OP, "E", E, R => {
        let (places, table) = (self::ids(OP, "ids", &ids)?, input::<R>(OP, "E", E)?);
        check_shape(OP, "E", table.shape(), &[("V", None), ("I", None)])?;
        let (view, places_) = (matrix(&table)?, slice(&places)?);
        let x = py.detach(|| embedding::forward(places_, view))?;
        let mut shape = places.shape().to_vec();
        shape.push(table.shape()[1]);
        output(py, &shape, x)
    })
}

fn keep<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(value.clone())
}

/// A two-dimensional view of an array whose rank was checked.
fn matrix<'a, R: Number>(array: &'a PyReadonlyArrayDyn<'_, R>) -> PyResult<ndarray::ArrayView2<'a, R>> {
    let (rows, columns) = rows_and_columns("array", "array", array.shape())?;
    ndarray::ArrayView2::from_shape((rows, columns), slice(array)?)
        .map_err(|e| super::error::ShapeError::new_err(e.to_string()))
}

/// dE[ids] += dx.
#[pyfunction]
#[pyo3(signature = (ids, dx, dE))]
#[allow(non_snake_case)]
fn embedding_backward<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = keep)] ids: Bound<'py, PyAny>,
    dx: &Bound<'py, PyAny>,
    dE: &Bound<'py, PyAny>,
) -> PyResult<()> {
    const OP: &str = "Embedding.backward";
    by_kind!(OP, "dE", dE, R => {
        let (places, dx) = (self::ids(OP, "ids", &ids)?, input::<R>(OP, "dx", dx)?);
        let mut dtable = target::<R>(OP, "dE", dE)?;
        check_shape(OP, "dE", dtable.shape(), &[("V", None), ("I", None)])?;
        let (rows, width) = (dtable.shape()[0], dtable.shape()[1]);
        let mut expected: Vec<_> = places.shape().iter().map(|&n| ("n", Some(n))).collect();
        expected.push(("I", Some(width)));
        check_shape(OP, "dx", dx.shape(), &expected)?;
        let (places, dx) = (slice(&places)?, matrix(&dx)?);
        let dtable = ndarray::ArrayViewMut2::from_shape((rows, width), dtable.as_slice_mut()?)
            .map_err(|e| super::error::ShapeError::new_err(e.to_string()))?;
        py.detach(|| embedding::backward(places, dx, dtable))?;
    });
    Ok(())
}

/// The linear layer of V (O, I) and c (O), its arrays checked against each other.
pub(super) fn linear_layer<'a, R: Number>(
    op: &'static str,
    v: &'a PyReadonlyArrayDyn<'_, R>,
    c: &'a PyReadonlyArrayDyn<'_, R>,
) -> PyResult<Linear<'a, R>> {
    check_shape(op, "V", v.shape(), &[("O", None), ("I", None)])?;
    let (outputs, inputs) = (v.shape()[0], v.shape()[1]);
    check_shape(op, "c", c.shape(), &[("O", Some(outputs))])?;
    Ok(Linear { v: slice(v)?, c: slice(c)?, inputs, outputs })
}

/// Checks the last axis of an array of rows.
pub(super) fn check_last(
    op: &'static str,
    argument: &'static str,
    shape: &[usize],
    letter: &str,
    size: usize,
) -> PyResult<usize> {
    let (rows, columns) = rows_and_columns(op, argument, shape)?;
    if columns == size {
        return Ok(rows);
    }
    Err(super::error::ShapeError::new_err(format!(
        "{op}: {argument}: expected (…, {letter}={size}), got {}",
        crate::error::shape(shape)
    )))
}

/// o (…, O) = c + V x.
#[pyfunction]
#[allow(non_snake_case)]
fn linear_forward<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    V: &Bound<'py, PyAny>,
    c: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "Linear.forward";
    by_kind!(OP, "V", V, R => {
        let (x, v, c) = (input::<R>(OP, "x", x)?, input::<R>(OP, "V", V)?, input::<R>(OP, "c", c)?);
        let layer = linear_layer(OP, &v, &c)?;
        let rows = check_last(OP, "x", x.shape(), "I", layer.inputs)?;
        let numbers = slice(&x)?;
        let o = py.detach(|| linear::forward(layer, numbers, rows))?;
        output(py, &with_last(x.shape(), layer.outputs), o)
    })
}

/// dV += Σ do xᵀ, dc += Σ do; gives dx (…, I), or None where it is not needed.
#[pyfunction]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn linear_backward<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    V: &Bound<'py, PyAny>,
    r#do: &Bound<'py, PyAny>,
    dV: &Bound<'py, PyAny>,
    dc: &Bound<'py, PyAny>,
    need_dx: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    const OP: &str = "Linear.backward";
    by_kind!(OP, "V", V, R => {
        let (x, v, dout) = (input::<R>(OP, "x", x)?, input::<R>(OP, "V", V)?, input::<R>(OP, "do", r#do)?);
        let (mut dv, mut dc) = (target::<R>(OP, "dV", dV)?, target::<R>(OP, "dc", dc)?);
        check_shape(OP, "V", v.shape(), &[("O", None), ("I", None)])?;
        let (outputs, inputs) = (v.shape()[0], v.shape()[1]);
        let rows = check_last(OP, "x", x.shape(), "I", inputs)?;
        let wanted: Vec<_> = with_last(x.shape(), outputs).into_iter().map(|n| ("n", Some(n))).collect();
        check_shape(OP, "do", dout.shape(), &wanted)?;
        check_shape(OP, "dV", dv.shape(), &[("O", Some(outputs)), ("I", Some(inputs))])?;
        check_shape(OP, "dc", dc.shape(), &[("O", Some(outputs))])?;
        let layer = Linear { v: slice(&v)?, c: &[], inputs, outputs };
        let (numbers, dout, into) = (slice(&x)?, slice(&dout)?, (dv.as_slice_mut()?, dc.as_slice_mut()?));
        let dx = py.detach(|| linear::backward(layer, (numbers, rows), dout, into, need_dx))?;
        dx.map(|dx| output(py, x.shape(), dx)).transpose()
    })
}

/// h (T, B, H) of x (T, B, I).
#[pyfunction]
#[pyo3(signature = (x, h0, U, W, b, activation))]
#[allow(non_snake_case)]
fn rnn_forward<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    h0: Option<&Bound<'py, PyAny>>,
    U: &Bound<'py, PyAny>,
    W: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    activation: &str,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "RNN.forward";
    let cell = cell(OP, activation)?;
    by_kind!(OP, "U", U, R => {
        let (x, h0) = (input::<R>(OP, "x", x)?, optional::<R>(OP, "h0", h0)?);
        let (u, w, b) = (input::<R>(OP, "U", U)?, input::<R>(OP, "W", W)?, input::<R>(OP, "b", b)?);
        let shapes = (u.shape(), w.shape(), b.shape());
        let sizes = Sizes::of(OP, x.shape(), h0.as_ref().map(|h| h.shape()), shapes)?;
        let weights = Weights { u: slice(&u)?, w: slice(&w)?, b: slice(&b)? };
        let (x, h0) = (slice(&x)?, optional_slice(h0.as_ref())?);
        let h = py.detach(|| recurrence::forward(&cell, sizes, weights, x, h0))?;
        output(py, &[sizes.steps, sizes.batch, sizes.hidden], h)
    })
}

/// h (T, B, H) of ids (T, B), whose inputs are rows of a table (V, H).
#[pyfunction]
#[pyo3(signature = (ids, table, h0, W, activation))]
#[allow(non_snake_case)]
fn rnn_forward_rows<'py>(
    py: Python<'py>,
    #[pyo3(from_py_with = keep)] ids: Bound<'py, PyAny>,
    table: &Bound<'py, PyAny>,
    h0: Option<&Bound<'py, PyAny>>,
    W: &Bound<'py, PyAny>,
    activation: &str,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "RNN.forward";
    let cell = cell(OP, activation)?;
    by_kind!(OP, "W", W, R => {
        let (places, table, w) = (self::ids(OP, "ids", &ids)?, input::<R>(OP, "table", table)?, input::<R>(OP, "W", W)?);
        let h0 = optional::<R>(OP, "h0", h0)?;
        check_shape(OP, "W", w.shape(), &[("H", None), ("H", Some(w.shape().first().copied().unwrap_or(0)))])?;
        let hidden = w.shape()[0];
        check_shape(OP, "table", table.shape(), &[("V", None), ("H", Some(hidden))])?;
        check_shape(OP, "ids", places.shape(), &[("T", None), ("B", None)])?;
        let sizes = Sizes { steps: places.shape()[0], batch: places.shape()[1], inputs: 0, hidden };
        h0.iter().try_for_each(|h0| sizes.check_state(OP, "h0", h0.shape()))?;
        let (input, w, h0) = ((slice(&places)?, slice(&table)?), slice(&w)?, optional_slice(h0.as_ref())?);
        let h = py.detach(|| recurrence::forward_rows(&cell, sizes, w, input, h0))?;
        output(py, &[sizes.steps, sizes.batch, hidden], h)
    })
}

/// dW of da (T, B, H), added up.
#[pyfunction]
#[pyo3(signature = (da, h0, h, dW))]
#[allow(non_snake_case)]
fn rnn_recurrent_gradient<'py>(
    py: Python<'py>,
    da: &Bound<'py, PyAny>,
    h0: Option<&Bound<'py, PyAny>>,
    h: &Bound<'py, PyAny>,
    dW: &Bound<'py, PyAny>,
) -> PyResult<()> {
    const OP: &str = "RNN.backward";
    by_kind!(OP, "dW", dW, R => {
        let (da, h, h0) = (input::<R>(OP, "da", da)?, input::<R>(OP, "h", h)?, optional::<R>(OP, "h0", h0)?);
        let mut dw = target::<R>(OP, "dW", dW)?;
        check_shape(OP, "dW", dw.shape(), &[("H", None), ("H", Some(dw.shape().first().copied().unwrap_or(0)))])?;
        let hidden = dw.shape()[0];
        check_shape(OP, "h", h.shape(), &[("T", None), ("B", None), ("H", Some(hidden))])?;
        let sizes = Sizes { steps: h.shape()[0], batch: h.shape()[1], inputs: 0, hidden };
        sizes.check_states(OP, "da", da.shape())?;
        h0.iter().try_for_each(|h0| sizes.check_state(OP, "h0", h0.shape()))?;
        let (da, states, dw) = (slice(&da)?, (optional_slice(h0.as_ref())?, slice(&h)?), dw.as_slice_mut()?);
        py.detach(|| recurrence::recurrent_gradient(sizes, da, states, dw))?;
    });
    Ok(())
}

/// Back through time: (da (T, B, H), dh0 (B, H)) from dh (T, B, H).
#[pyfunction]
#[pyo3(signature = (dh, h, W, activation))]
#[allow(non_snake_case)]
fn rnn_backward<'py>(
    py: Python<'py>,
    dh: &Bound<'py, PyAny>,
    h: &Bound<'py, PyAny>,
    W: &Bound<'py, PyAny>,
    activation: &str,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    const OP: &str = "RNN.backward";
    let cell = cell(OP, activation)?;
    by_kind!(OP, "W", W, R => {
        let (dh, h, w) = (input::<R>(OP, "dh", dh)?, input::<R>(OP, "h", h)?, input::<R>(OP, "W", W)?);
        check_shape(OP, "W", w.shape(), &[("H", None), ("H", Some(w.shape().first().copied().unwrap_or(0)))])?;
        let hidden = w.shape()[0];
        check_shape(OP, "h", h.shape(), &[("T", None), ("B", None), ("H", Some(hidden))])?;
        let sizes = Sizes { steps: h.shape()[0], batch: h.shape()[1], inputs: 0, hidden };
        sizes.check_states(OP, "dh", dh.shape())?;
        let (dh, h, w) = (slice(&dh)?, slice(&h)?, slice(&w)?);
        let (da, dh0) = py.detach(|| recurrence::backward(&cell, sizes, w, h, dh))?;
        let states = [sizes.steps, sizes.batch, hidden];
        Ok((output(py, &states, da)?, output(py, &states[1..], dh0)?))
    })
}

/// dU, dW and db of da (T, B, H), added up; gives dx (T, B, I), or None where it is not needed.
#[pyfunction]
#[pyo3(signature = (da, x, h0, h, U, dU, dW, db, need_dx))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn rnn_gradients<'py>(
    py: Python<'py>,
    da: &Bound<'py, PyAny>,
    x: &Bound<'py, PyAny>,
    h0: Option<&Bound<'py, PyAny>>,
    h: &Bound<'py, PyAny>,
    U: &Bound<'py, PyAny>,
    dU: &Bound<'py, PyAny>,
    dW: &Bound<'py, PyAny>,
    db: &Bound<'py, PyAny>,
    need_dx: bool,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    const OP: &str = "RNN.backward";
    by_kind!(OP, "U", U, R => {
        let (da, x, h) = (input::<R>(OP, "da", da)?, input::<R>(OP, "x", x)?, input::<R>(OP, "h", h)?);
        let (h0, u) = (optional::<R>(OP, "h0", h0)?, input::<R>(OP, "U", U)?);
        let (mut du, mut dw, mut db) = (target::<R>(OP, "dU", dU)?, target::<R>(OP, "dW", dW)?, target::<R>(OP, "db", db)?);
        let shapes = (u.shape(), dw.shape(), db.shape());
        let sizes = Sizes::of(OP, x.shape(), h0.as_ref().map(|h| h.shape()), shapes)?;
        sizes.check_states(OP, "da", da.shape())?;
        sizes.check_states(OP, "h", h.shape())?;
        check_shape(OP, "dU", du.shape(), &[("H", Some(sizes.hidden)), ("I", Some(sizes.inputs))])?;
        let into = WeightGradients { u: du.as_slice_mut()?, w: dw.as_slice_mut()?, b: db.as_slice_mut()? };
        let (numbers, h0, h) = (slice(&x)?, optional_slice(h0.as_ref())?, slice(&h)?);
        let (da, u) = (slice(&da)?, slice(&u)?);
        let dx = py.detach(|| recurrence::gradients(sizes, da, (numbers, h0, h), u, into, need_dx))?;
        dx.map(|dx| output(py, x.shape(), dx)).transpose()
    })
}
