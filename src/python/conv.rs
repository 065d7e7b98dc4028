//! Convolution and two-dimensional pooling.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::array::{by_kind, input, optional, output, slice, target};
use super::error::value_error;
use crate::error::check_shape;
use crate::kernels::Activation;
use crate::layers::conv::{self, Pair, Passed, Pictures, Shape};
use crate::layers::pooling_2d::{self, Frame, Pool};

type Any<'py> = Bound<'py, PyAny>;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(conv_forward, module)?)?;
    module.add_function(wrap_pyfunction!(conv_backward, module)?)?;
    module.add_function(wrap_pyfunction!(pool_2d, module)?)?;
    module.add_function(wrap_pyfunction!(pool_2d_backward, module)?)?;
    Ok(())
}

/// Returns the activation with this name.
pub(super) fn activation(op: &str, name: &str) -> PyResult<Activation> {
    let names = || Activation::ALL.map(Activation::name).join(", ");
    Activation::from_name(name)
        .ok_or_else(|| value_error(op, "activation", &format!("one of {}", names()), name))
}

/// Returns the sizes of a layer, given the shape of its kernel.
fn layer(op: &'static str, kernel: &[usize], stride: Pair, padding: Pair) -> PyResult<Shape> {
    let letters = [("kernel height", None), ("kernel width", None), ("I", None), ("O", None)];
    check_shape(op, "K", kernel, &letters)?;
    if kernel.contains(&0) || stride.0 == 0 || stride.1 == 0 {
        return Err(value_error(op, "K, stride", "sizes of at least 1", &format!("{kernel:?}, {stride:?}")));
    }
    Ok(Shape { kernel: (kernel[0], kernel[1]), stride, padding, inputs: kernel[2], outputs: kernel[3] })
}

/// Returns the sizes of a batch of pictures (B, Y, X, I).
fn pictures(op: &'static str, shape: &[usize], channels: usize) -> PyResult<Pictures> {
    check_shape(op, "x", shape, &[("B", None), ("Y", None), ("X", None), ("I", Some(channels))])?;
    Ok(Pictures { batch: shape[0], size: (shape[1], shape[2]) })
}

/// Returns y (B, Y′, X′, O) = f(b + K over the windows of x).
#[pyfunction]
#[allow(non_snake_case)]
fn conv_forward<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    K: &Any<'py>,
    b: &Any<'py>,
    stride: Pair,
    padding: Pair,
    activation: &str,
) -> PyResult<Any<'py>> {
    const OP: &str = "Conv2d.forward";
    let f = self::activation(OP, activation)?;
    by_kind!(OP, "K", K, R => {
        let (x, k, b) = (input::<R>(OP, "x", x)?, input::<R>(OP, "K", K)?, input::<R>(OP, "b", b)?);
        let layer = layer(OP, k.shape(), stride, padding)?;
        check_shape(OP, "b", b.shape(), &[("O", Some(layer.outputs))])?;
        let pictures = pictures(OP, x.shape(), layer.inputs)?;
        let (_, (height, width)) = layer.fit(OP, pictures.size)?;
        let (x, kernel) = (slice(&x)?, (slice(&k)?, slice(&b)?));
        let y = py.detach(|| conv::forward(layer, pictures, x, kernel, f))?;
        output(py, &[pictures.batch, height, width, layer.outputs], y)
    })
}

/// Adds to dK and db; returns dx (B, Y, X, I), or None if not needed. y may be None without an activation.
#[pyfunction]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn conv_backward<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    y: Option<&Any<'py>>,
    K: &Any<'py>,
    dy: &Any<'py>,
    dK: &Any<'py>,
    db: &Any<'py>,
    stride: Pair,
    padding: Pair,
    activation: &str,
    need_dx: bool,
) -> PyResult<Option<Any<'py>>> {
    const OP: &str = "Conv2d.backward";
    let f = self::activation(OP, activation)?;
    by_kind!(OP, "K", K, R => {
        let (x, y) = (input::<R>(OP, "x", x)?, optional::<R>(OP, "y", y)?);
        let (k, dy) = (input::<R>(OP, "K", K)?, input::<R>(OP, "dy", dy)?);
        let (mut dk, mut db) = (target::<R>(OP, "dK", dK)?, target::<R>(OP, "db", db)?);
        let layer = layer(OP, k.shape(), stride, padding)?;
        let pictures = pictures(OP, x.shape(), layer.inputs)?;
        let (_, (height, width)) = layer.fit(OP, pictures.size)?;
        let of_y = [("B", Some(pictures.batch)), ("Y", Some(height)), ("X", Some(width)), ("O", Some(layer.outputs))];
        check_shape(OP, "dy", dy.shape(), &of_y)?;
        let y = match (&y, f) {
            (Some(y), _) => {
                check_shape(OP, "y", y.shape(), &of_y)?;
                slice(y)?
            }
            (None, Activation::Identity) => &[],
            (None, _) => return Err(value_error(OP, "y", "the layer's y, which its activation needs", "None")),
        };
        let of_k = [
            ("kernel height", Some(layer.kernel.0)),
            ("kernel width", Some(layer.kernel.1)),
            ("I", Some(layer.inputs)),
            ("O", Some(layer.outputs)),
        ];
        check_shape(OP, "dK", dk.shape(), &of_k)?;
        check_shape(OP, "db", db.shape(), &[("O", Some(layer.outputs))])?;
        let shape = x.shape().to_vec();
        let passed = Passed { x: slice(&x)?, y, activation: f };
        let (k, dy, into) = (slice(&k)?, slice(&dy)?, (dk.as_slice_mut()?, db.as_slice_mut()?));
        let dx = py.detach(|| conv::backward(layer, pictures, passed, k, dy, into, need_dx))?;
        dx.map(|dx| output(py, &shape, dx)).transpose()
    })
}

/// Returns the kind of pooling, and the names of its operations.
fn pool(kind: &str) -> PyResult<(Pool, [&'static str; 2])> {
    match kind {
        "max" => Ok((Pool::Max, ["MaxPool2d.forward", "MaxPool2d.backward"])),
        "mean" => Ok((Pool::Mean, ["MeanPool2d.forward", "MeanPool2d.backward"])),
        _ => Err(value_error("pool_2d", "kind", "max or mean", kind)),
    }
}

/// Returns the geometry of the windows; sizes and strides are at least 1.
fn frame(op: &'static str, kernel: Pair, stride: Pair, padding: Pair) -> PyResult<Frame> {
    if [kernel.0, kernel.1, stride.0, stride.1].contains(&0) {
        return Err(value_error(
            op,
            "kernel, stride",
            "sizes of at least 1",
            &format!("{kernel:?}, {stride:?}"),
        ));
    }
    Ok(Frame { kernel, stride, padding })
}

const PICTURES: [(&str, Option<usize>); 4] = [("B", None), ("Y", None), ("X", None), ("C", None)];

/// Returns y (B, Y′, X′, C), given x (B, Y, X, C).
#[pyfunction]
fn pool_2d<'py>(
    py: Python<'py>,
    kind: &str,
    x: &Any<'py>,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
) -> PyResult<Any<'py>> {
    let (pool, [op, _]) = pool(kind)?;
    let frame = frame(op, kernel, stride, padding)?;
    by_kind!(op, "x", x, R => {
        let x = input::<R>(op, "x", x)?;
        check_shape(op, "x", x.shape(), &PICTURES)?;
        let (channels, pictures) = (x.shape()[3], pictures(op, x.shape(), x.shape()[3])?);
        let (height, width) = frame.output(op, pictures.size)?;
        let x = slice(&x)?;
        let y = py.detach(|| pooling_2d::forward(op, pool, frame, pictures, x, channels))?;
        output(py, &[pictures.batch, height, width, channels], y)
    })
}

/// Returns dx (B, Y, X, C), with the given shape, from dy (B, Y′, X′, C); "max" needs x and y.
#[pyfunction]
#[allow(clippy::too_many_arguments)]
fn pool_2d_backward<'py>(
    py: Python<'py>,
    kind: &str,
    shape: [usize; 4],
    passed: Option<(Any<'py>, Any<'py>)>,
    dy: &Any<'py>,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
) -> PyResult<Any<'py>> {
    let (pool, [_, op]) = pool(kind)?;
    let frame = frame(op, kernel, stride, padding)?;
    let pictures = Pictures { batch: shape[0], size: (shape[1], shape[2]) };
    let (height, width) = frame.output(op, pictures.size)?;
    let of_y = [("B", Some(shape[0])), ("Y", Some(height)), ("X", Some(width)), ("C", Some(shape[3]))];
    let kind = passed.as_ref().map_or(dy, |(x, _)| x);
    by_kind!(op, "dy", kind, R => {
        let dy = input::<R>(op, "dy", dy)?;
        check_shape(op, "dy", dy.shape(), &of_y)?;
        let dy = slice(&dy)?;
        let dx = match (pool, passed) {
            (Pool::Mean, _) => py.detach(|| pooling_2d::backward(op, frame, pictures, None, dy, shape[3]))?,
            (Pool::Max, None) => return Err(value_error(op, "passed", "x and y", "None")),
            (Pool::Max, Some((x, y))) => {
                let (x, y) = (input::<R>(op, "x", &x)?, input::<R>(op, "y", &y)?);
                check_shape(op, "x", x.shape(), &shape.map(|n| ("n", Some(n))))?;
                check_shape(op, "y", y.shape(), &of_y)?;
                let passed = pooling_2d::Passed { x: slice(&x)?, y: slice(&y)? };
                py.detach(|| pooling_2d::backward(op, frame, pictures, Some(passed), dy, shape[3]))?
            }
        };
        output(py, &shape, dx)
    })
}
