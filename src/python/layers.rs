//! Embedding and linear layers; concatenation.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Number, by_kind, ids, input, output, rows_and_columns, slice, target, with_last};
use crate::error::check_shape;
use crate::layers::linear::{self, Linear};
use crate::layers::{embedding, joined};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(embedding_forward, module)?)?;
    module.add_function(wrap_pyfunction!(embedding_backward, module)?)?;
    module.add_function(wrap_pyfunction!(linear_forward, module)?)?;
    module.add_function(wrap_pyfunction!(linear_backward, module)?)?;
    module.add_function(wrap_pyfunction!(join_last, module)?)?;
    module.add_function(wrap_pyfunction!(split_last, module)?)?;
    Ok(())
}

/// Returns x (…, I) = E[ids].
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

pub(super) fn keep<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(value.clone())
}

/// Returns a two-dimensional view of an array whose rank was checked.
fn matrix<'a, R: Number>(array: &'a PyReadonlyArrayDyn<'_, R>) -> PyResult<ndarray::ArrayView2<'a, R>> {
    let (rows, columns) = rows_and_columns("array", "array", array.shape())?;
    ndarray::ArrayView2::from_shape((rows, columns), slice(array)?)
        .map_err(|e| super::error::ShapeError::new_err(e.to_string()))
}

/// Adds dE[ids] += dx.
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

/// Returns the linear layer of V (O, I) and c (O), with shapes checked against each other.
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

/// Checks the last axis of an array of rows; returns the number of rows.
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

/// Returns o (…, O) = c + V x.
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

/// Adds dV += Σ do xᵀ and dc += Σ do; returns dx (…, I), or None if not needed.
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

/// Concatenates arrays (…, A) and (…, B) to (…, A + B).
#[pyfunction]
fn join_last<'py>(
    py: Python<'py>,
    a: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "join_last";
    by_kind!(OP, "a", a, R => {
        let (a, b) = (input::<R>(OP, "a", a)?, input::<R>(OP, "b", b)?);
        let (n, first) = rows_and_columns(OP, "a", a.shape())?;
        let (_, second) = rows_and_columns(OP, "b", b.shape())?;
        let wanted: Vec<_> = with_last(a.shape(), second).into_iter().map(|n| ("n", Some(n))).collect();
        check_shape(OP, "b", b.shape(), &wanted)?;
        let (one, other) = ((slice(&a)?, first), (slice(&b)?, second));
        let whole = py.detach(|| joined::join(one, other, n))?;
        output(py, &with_last(a.shape(), first + second), whole)
    })
}

/// Splits every row of an array into its first `first` elements and the rest.
#[pyfunction]
fn split_last<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    first: usize,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    const OP: &str = "split_last";
    by_kind!(OP, "x", x, R => {
        let x = input::<R>(OP, "x", x)?;
        let (n, width) = rows_and_columns(OP, "x", x.shape())?;
        let Some(second) = width.checked_sub(first) else {
            let expected = format!("at most {width}");
            return Err(super::error::value_error(OP, "first", &expected, &first.to_string()));
        };
        let numbers = slice(&x)?;
        let [a, b] = py.detach(|| joined::split(numbers, [first, second], n))?;
        Ok((output(py, &with_last(x.shape(), first), a)?, output(py, &with_last(x.shape(), second), b)?))
    })
}
