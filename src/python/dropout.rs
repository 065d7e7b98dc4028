//! Dropout.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::array::{by_kind, ids, input, optional_slice, output, slice};
use super::error::value_error;
use super::recurrence::keys;
use crate::error::check_shape;
use crate::layers::dropout::{self, Dropout};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(apply_dropout, module)?)?;
    module.add_function(wrap_pyfunction!(dropout_masks, module)?)?;
    Ok(())
}

const OP: &str = "Dropout";

fn check_rate(rate: f64) -> PyResult<()> {
    let right = (0.0..1.0).contains(&rate);
    if right { Ok(()) } else { Err(value_error(OP, "rate", "a number from 0 to below 1", &rate.to_string())) }
}

/// Returns x (n, width) times the masks of its rows.
#[pyfunction]
#[pyo3(signature = (x, keys, steps, rate, seed))]
fn apply_dropout<'py>(
    py: Python<'py>,
    x: &Bound<'py, PyAny>,
    keys: &Bound<'py, PyAny>,
    steps: Option<&Bound<'py, PyAny>>,
    rate: f64,
    seed: u64,
) -> PyResult<Bound<'py, PyAny>> {
    check_rate(rate)?;
    let keys = self::keys(OP, keys)?;
    let steps = steps.map(|steps| ids(OP, "steps", steps)).transpose()?;
    if let Some(steps) = &steps {
        check_shape(OP, "steps", steps.shape(), &[("rows", Some(keys.len()))])?;
    }
    by_kind!(OP, "x", x, R => {
        let x = input::<R>(OP, "x", x)?;
        check_shape(OP, "x", x.shape(), &[("rows", Some(keys.len())), ("I", None)])?;
        let dropout = Dropout { rate, seed, keys: &keys, steps: optional_slice(steps.as_ref())? };
        let (numbers, width) = (slice(&x)?, x.shape()[1]);
        let y = py.detach(|| dropout::dropout(dropout, Some(numbers), width))?;
        output(py, x.shape(), y)
    })
}

/// Returns masks (n, width) of 0 and 1 / (1 − rate), with the element type of `like`.
#[pyfunction]
fn dropout_masks<'py>(
    py: Python<'py>,
    keys: &Bound<'py, PyAny>,
    width: usize,
    rate: f64,
    seed: u64,
    like: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    check_rate(rate)?;
    let keys = self::keys(OP, keys)?;
    by_kind!(OP, "like", like, R => {
        let dropout = Dropout { rate, seed, keys: &keys, steps: None };
        let masks = py.detach(|| dropout::dropout::<R>(dropout, None, width))?;
        output(py, &[keys.len(), width], masks)
    })
}
