//! The order of the sequences of a batch.

use numpy::{PyArray1, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{by_kind, ids, input, output, slice};
use crate::error::check_shape;
use crate::layers::order::{self, Parts};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(order_sequences, module)?)?;
    module.add_function(wrap_pyfunction!(unpack_rows, module)?)?;
    Ok(())
}

type Numbers<'py> = Bound<'py, PyArray1<i64>>;

/// Returns the sequence at each place, the counts, the rows, the places, and each stream's last sequence.
#[pyfunction]
#[pyo3(signature = (shape, stream, first, length, reverse))]
fn order_sequences<'py>(
    py: Python<'py>,
    shape: [usize; 2],
    stream: &Bound<'py, PyAny>,
    first: &Bound<'py, PyAny>,
    length: &Bound<'py, PyAny>,
    reverse: bool,
) -> PyResult<[Numbers<'py>; 5]> {
    const OP: &str = "order";
    let (stream, first) = (ids(OP, "stream", stream)?, ids(OP, "first", first)?);
    let length = ids(OP, "length", length)?;
    check_shape(OP, "stream", stream.shape(), &[("sequences", None)])?;
    for (name, array) in [("first", &first), ("length", &length)] {
        check_shape(OP, name, array.shape(), &[("sequences", Some(stream.len()))])?;
    }
    let parts = Parts { shape, stream: slice(&stream)?, first: slice(&first)?, length: slice(&length)? };
    let found = py.detach(|| order::order(parts, reverse))?;
    Ok([found.longest, found.counts, found.rows, found.places, found.last]
        .map(|numbers| PyArray1::from_vec(py, numbers)))
}

/// Returns the rows of x (N, I) at the given places; zeros where the place is −1.
#[pyfunction]
#[pyo3(signature = (places, x))]
fn unpack_rows<'py>(
    py: Python<'py>,
    places: &Bound<'py, PyAny>,
    x: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    const OP: &str = "unpack";
    by_kind!(OP, "x", x, R => {
        let (places, x) = (ids(OP, "places", places)?, input::<R>(OP, "x", x)?);
        check_shape(OP, "places", places.shape(), &[("rows", None)])?;
        check_shape(OP, "x", x.shape(), &[("N", None), ("I", None)])?;
        let (at, rows, width) = (slice(&places)?, slice(&x)?, x.shape()[1]);
        let whole = py.detach(|| order::unpack(at, rows, width))?;
        output(py, &[at.len(), width], whole)
    })
}
