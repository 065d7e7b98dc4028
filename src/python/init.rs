//! Initialization of parameters.

use numpy::PyUntypedArrayMethods;
use pyo3::prelude::*;

use super::array::{by_kind, target};
use super::error::value_error;
use crate::init::{self, Scheme};

/// Fills an array in place; a matrix's last axis holds its columns.
#[pyfunction]
pub(super) fn initialize(
    py: Python<'_>,
    out: &Bound<'_, PyAny>,
    scheme: &str,
    scale: f64,
    seed: u64,
) -> PyResult<()> {
    const OP: &str = "initialize";
    let Some((_, scheme)) = Scheme::ALL.into_iter().find(|(name, _)| *name == scheme) else {
        let names: Vec<_> = Scheme::ALL.iter().map(|(name, _)| *name).collect();
        return Err(value_error(
            OP,
            "scheme",
            &format!("one of {}", names.join(", ")),
            &format!("\"{scheme}\""),
        ));
    };
    by_kind!(OP, "out", out, R => {
        let mut out = target::<R>(OP, "out", out)?;
        let columns = out.shape().last().copied().unwrap_or(1);
        let out = out.as_slice_mut()?;
        py.detach(|| init::initialize(out, columns, scheme, scale, seed))?;
    });
    Ok(())
}
