//! Arrays at the boundary to Python. A suitable array is used in place; any other array of real numbers is
//! converted by NumPy; everything else is rejected with an error that names the argument.

use std::time::Duration;

use ndarray::{ArrayD, IxDyn};
use numpy::{
    BorrowError, Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyReadwriteArrayDyn, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::error::{ShapeError, dtype_error, value_error};
use crate::kernels::Real;

/// An element type of both Rust and NumPy.
pub(super) trait Number: Real + Element {}
impl Number for f32 {}
impl Number for f64 {}

/// The supported element types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// f32
    F32,
    /// f64
    F64,
}

/// Returns the element type of the array that determines it: a parameter, or a loss's o.
pub(super) fn kind(op: &str, argument: &str, array: &Bound<'_, PyAny>) -> PyResult<Kind> {
    if array.cast::<PyArrayDyn<f32>>().is_ok() {
        Ok(Kind::F32)
    } else if array.cast::<PyArrayDyn<f64>>().is_ok() {
        Ok(Kind::F64)
    } else {
        Err(dtype_error(op, argument, "a NumPy array of float32 or float64", &describe(array)))
    }
}

/// Evaluates an expression with `$R` bound to the element type of `$array`.
macro_rules! by_kind {
    ($op:expr, $name:expr, $array:expr, $R:ident => $body:expr) => {
        match crate::python::array::kind($op, $name, $array)? {
            crate::python::array::Kind::F32 => {
                type $R = f32;
                $body
            }
            crate::python::array::Kind::F64 => {
                type $R = f64;
                $body
            }
        }
    };
}
pub(super) use by_kind;

/// Describes a value for error messages: `an array of object`, `a list`.
fn describe(value: &Bound<'_, PyAny>) -> String {
    match value.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {}", array.dtype()),
        Err(_) => value.get_type().name().map_or_else(|_| "an object".into(), |name| format!("a {name}")),
    }
}

/// Returns whether the array is C-contiguous and aligned.
fn lies_well<T: Element>(array: &Bound<'_, PyArrayDyn<T>>) -> bool {
    array.is_c_contiguous() && (array.data() as usize).is_multiple_of(align_of::<T>())
}

/// Returns the array as C-contiguous elements of type `T`, converted if necessary; `allowed` are the kinds of
/// NumPy dtypes from which a conversion is meaningful.
fn convert<'py, T: Element>(
    (op, argument): (&str, &str),
    value: &Bound<'py, PyAny>,
    (allowed, wanted): (&str, &str),
    name: &str,
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    if let Ok(array) = value.cast::<PyArrayDyn<T>>()
        && lies_well(array)
    {
        return Ok(array.clone());
    }
    let refuse = || dtype_error(op, argument, wanted, &describe(value));
    let numpy = value.py().import("numpy")?;
    let array = match value.cast::<PyUntypedArray>() {
        Ok(array) => array.clone().into_any(),
        Err(_) => numpy.call_method1("asarray", (value,)).map_err(|_| refuse())?,
    };
    let from = array.cast::<PyUntypedArray>().map_err(|_| refuse())?.dtype().kind() as char;
    let empty = array.len().is_ok_and(|n| n == 0) && from == 'f';
    if !allowed.contains(from) && !empty {
        return Err(refuse());
    }
    let options = PyDict::new(value.py());
    options.set_item("dtype", name)?;
    options.set_item("order", "C")?;
    options.set_item("copy", true)?;
    let converted = numpy.call_method("array", (array,), Some(&options))?;
    Ok(converted.cast_into::<PyArrayDyn<T>>()?)
}

fn borrow_error(op: &str, argument: &str, error: BorrowError) -> PyErr {
    match error {
        BorrowError::NotWriteable => value_error(op, argument, "a writable array", "a read-only one"),
        _ => value_error(
            op,
            argument,
            "an array that overlaps no other argument",
            "one that does, or is in use by another thread",
        ),
    }
}

/// Opens an array as `open` does. As long as another thread has it open, waits: an optimizer's step is short.
fn when_free<'py, T: Element, A>(
    (op, argument): (&str, &str),
    array: &Bound<'py, PyArrayDyn<T>>,
    open: impl Fn(&Bound<'py, PyArrayDyn<T>>) -> Result<A, BorrowError>,
) -> PyResult<A> {
    loop {
        match open(array) {
            Ok(opened) => return Ok(opened),
            Err(BorrowError::AlreadyBorrowed) => {
                array.py().detach(|| std::thread::sleep(Duration::from_micros(50)));
                array.py().check_signals()?;
            }
            Err(error) => return Err(borrow_error(op, argument, error)),
        }
    }
}

/// Opens an array of real numbers for reading; waits while another thread changes it. A function opens all
/// its inputs before the arrays that it changes: it would wait for itself otherwise.
pub(super) fn input<'py, R: Number>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, R>> {
    let wanted = format!("an array of real numbers ({})", R::NAME);
    let array = convert::<R>((op, argument), value, ("fiub", &wanted), R::NAME)?;
    when_free((op, argument), &array, |array| array.try_readonly())
}

/// Opens an optional array of real numbers for reading.
pub(super) fn optional<'py, R: Number>(
    op: &str,
    argument: &str,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<PyReadonlyArrayDyn<'py, R>>> {
    value.map(|value| input(op, argument, value)).transpose()
}

/// Opens an array of whole numbers (token ids) for reading.
pub(super) fn ids<'py>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, i64>> {
    let array =
        convert::<i64>((op, argument), value, ("iu", "an array of whole numbers (token ids)"), "int64")?;
    array.try_readonly().map_err(|e| borrow_error(op, argument, e))
}

/// Opens an array for modification in place; it must have the right type, be contiguous and writable.
pub(super) fn target<'py, R: Number>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadwriteArrayDyn<'py, R>> {
    changeable(op, argument, value)?.try_readwrite().map_err(|e| borrow_error(op, argument, e))
}

/// Opens an array as `target` does; waits while another thread reads it, unless it overlaps `read`, which
/// this call has open.
pub(super) fn target_when_free<'py, R: Number>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
    read: &PyReadonlyArrayDyn<'py, R>,
) -> PyResult<PyReadwriteArrayDyn<'py, R>> {
    let array = changeable::<R>(op, argument, value)?;
    let bytes = |start: *mut R, len: usize| (start as usize, start as usize + len * size_of::<R>());
    let (own, other) = (bytes(array.data(), array.len()), bytes(read.data(), read.len()));
    if own.0 < other.1 && other.0 < own.1 {
        return array.try_readwrite().map_err(|e| borrow_error(op, argument, e));
    }
    when_free((op, argument), array, |array| array.try_readwrite())
}

/// Returns an array that can be modified in place, but for its borrowing.
fn changeable<'a, 'py, R: Number>(
    op: &str,
    argument: &str,
    value: &'a Bound<'py, PyAny>,
) -> PyResult<&'a Bound<'py, PyArrayDyn<R>>> {
    let Ok(array) = value.cast::<PyArrayDyn<R>>() else {
        return Err(dtype_error(op, argument, &format!("an array of {}", R::NAME), &describe(value)));
    };
    if !lies_well(array) {
        return Err(value_error(op, argument, "a C-contiguous array", "one that is not"));
    }
    Ok(array)
}

/// Returns the elements of an array opened by `input`, `ids` or `target`.
pub(super) fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>) -> PyResult<&'a [T]> {
    Ok(array.as_slice()?)
}

/// Returns the elements of an optional array.
pub(super) fn optional_slice<'a, T: Element>(
    array: Option<&'a PyReadonlyArrayDyn<'_, T>>,
) -> PyResult<Option<&'a [T]>> {
    array.map(slice).transpose()
}

/// Returns a new NumPy array that owns `data`.
pub(super) fn output<'py, R: Number>(
    py: Python<'py>,
    shape: &[usize],
    data: Vec<R>,
) -> PyResult<Bound<'py, PyAny>> {
    let array = ArrayD::from_shape_vec(IxDyn(shape), data).map_err(|e| ShapeError::new_err(e.to_string()))?;
    Ok(PyArrayDyn::from_owned_array(py, array).into_any())
}

/// Returns `shape` with its last size replaced.
pub(super) fn with_last(shape: &[usize], last: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(size) = shape.last_mut() {
        *size = last;
    }
    shape
}

/// Returns the product of all sizes but the last, and the last size; the array must have at least one axis.
pub(super) fn rows_and_columns(op: &str, argument: &str, shape: &[usize]) -> PyResult<(usize, usize)> {
    match shape.split_last() {
        Some((&columns, rows)) => Ok((rows.iter().product(), columns)),
        None => Err(ShapeError::new_err(format!("{op}: {argument}: expected at least one axis, got ()"))),
    }
}
