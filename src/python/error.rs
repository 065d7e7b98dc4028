//! Errors: the only place where the crate's errors become Python exceptions.

use std::cell::RefCell;

use pyo3::exceptions::{PyIndexError, PyKeyboardInterrupt, PyMemoryError, PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::error::Error;

pyo3::create_exception!(
    rnnrs,
    ShapeError,
    PyValueError,
    "An array has the wrong number of axes or the wrong size."
);
pyo3::create_exception!(rnnrs, DTypeError, PyTypeError, "An array has the wrong element type.");
pyo3::create_exception!(rnnrs, FormatError, PyValueError, "A file has an invalid format.");

thread_local! {
    /// The exception that Python's signal handler raised during a computation.
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// Runs Python's signal handlers; returns true if one raised. Called by the thread that waits
/// for a computation.
pub(super) fn interrupted() -> bool {
    Python::attach(|py| match py.check_signals() {
        Ok(()) => false,
        Err(error) => {
            RAISED.set(Some(error));
            true
        }
    })
}

impl From<Error> for PyErr {
    fn from(error: Error) -> PyErr {
        let message = error.to_string();
        match error {
            Error::Shape { .. } => ShapeError::new_err(message),
            Error::Value { .. } => PyValueError::new_err(message),
            Error::TokenId { .. } => PyIndexError::new_err(message),
            Error::Memory { .. } => PyMemoryError::new_err(message),
            Error::Format(_) => FormatError::new_err(message),
            Error::Interrupted => RAISED.take().unwrap_or_else(|| PyKeyboardInterrupt::new_err(())),
        }
    }
}

/// Returns a `DTypeError` with the standard message.
pub(super) fn dtype_error(op: &str, argument: &str, expected: &str, got: &str) -> PyErr {
    DTypeError::new_err(format!("{op}: {argument}: expected {expected}, got {got}"))
}

/// Returns a `ValueError` with the standard message.
pub(super) fn value_error(op: &str, argument: &str, expected: &str, got: &str) -> PyErr {
    PyValueError::new_err(format!("{op}: {argument}: expected {expected}, got {got}"))
}
