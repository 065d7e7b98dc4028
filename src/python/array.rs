//! Arrays at the border. One that fits is used where it lies; any other of real numbers is converted by NumPy;
//! what has no meaning as numbers is refused by name.

use ndarray::{ArrayD, IxDyn};
use numpy::{
    BorrowError, Element, PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn,
    PyReadwriteArrayDyn, PyUntypedArray, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::error::{ShapeError, dtype_error, value_error};
use crate::kernels::Real;

/// A number type of both worlds.
pub(super) trait Number: Real + Element {}
impl Number for f32 {}
impl Number for f64 {}

/// Which of the two number types.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// f32
    F32,
    /// f64
    F64,
}

/// The number type of an array that decides it: a parameter, or a loss's o.
pub(super) fn kind(op: &str, argument: &str, array: &Bound<'_, PyAny>) -> PyResult<Kind> {
    if array.cast::<PyArrayDyn<f32>>().is_ok() {
        Ok(Kind::F32)
    } else if array.cast::<PyArrayDyn<f64>>().is_ok() {
        Ok(Kind::F64)
    } else {
        Err(dtype_error(op, argument, "a NumPy array of float32 or float64", &describe(array)))
    }
}

/// Runs an expression with `$R` standing for the number type of `$array`.
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

/// What came, for a message: `an array of object`, `a list`.
fn describe(value: &Bound<'_, PyAny>) -> String {
    match value.cast::<PyUntypedArray>() {
        Ok(array) => format!("an array of {}", array.dtype()),
        Err(_) => value.get_type().name().map_or_else(|_| "an object".into(), |name| format!("a {name}")),
    }
}

/// Whether the numbers lie one after the other, each at a multiple of its size.
fn lies_well<T: Element>(array: &Bound<'_, PyArrayDyn<T>>) -> bool {
    array.is_c_contiguous() && (array.data() as usize).is_multiple_of(align_of::<T>())
}

/// The array as numbers of type `T`, C-contiguous, converted where it must be; `allowed` are the kinds of NumPy's
/// dtypes from which a conversion has a meaning.
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
        _ => value_error(op, argument, "an array of its own", "one that another argument overlaps"),
    }
}

/// An array of real numbers to read.
pub(super) fn input<'py, R: Number>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, R>> {
    let wanted = format!("an array of real numbers ({})", R::NAME);
    let array = convert::<R>((op, argument), value, ("fiub", &wanted), R::NAME)?;
    array.try_readonly().map_err(|e| borrow_error(op, argument, e))
}

/// The same, or nothing for `None`.
pub(super) fn optional<'py, R: Number>(
    op: &str,
    argument: &str,
    value: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<PyReadonlyArrayDyn<'py, R>>> {
    value.map(|value| input(op, argument, value)).transpose()
}

/// An array of whole numbers to read: token ids.
pub(super) fn ids<'py>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadonlyArrayDyn<'py, i64>> {
    let array =
        convert::<i64>((op, argument), value, ("iu", "an array of whole numbers (token ids)"), "int64")?;
    array.try_readonly().map_err(|e| borrow_error(op, argument, e))
}

/// An array that is changed in place: it must be of the right type, contiguous and writable.
pub(super) fn target<'py, R: Number>(
    op: &str,
    argument: &str,
    value: &Bound<'py, PyAny>,
) -> PyResult<PyReadwriteArrayDyn<'py, R>> {
    let Ok(array) = value.cast::<PyArrayDyn<R>>() else {
        return Err(dtype_error(op, argument, &format!("an array of {}", R::NAME), &describe(value)));
    };
    if !lies_well(array) {
        return Err(value_error(op, argument, "a C-contiguous array", "one that is not"));
    }
    array.try_readwrite().map_err(|e| borrow_error(op, argument, e))
}

/// The numbers of an array that `input`, `ids` or `target` gave.
pub(super) fn slice<'a, T: Element>(array: &'a PyReadonlyArrayDyn<'_, T>) -> PyResult<&'a [T]> {
    Ok(array.as_slice()?)
}

/// The numbers of an array that may not be there.
pub(super) fn optional_slice<'a, T: Element>(
    array: Option<&'a PyReadonlyArrayDyn<'_, T>>,
) -> PyResult<Option<&'a [T]>> {
    array.map(slice).transpose()
}

/// A new NumPy array that owns the numbers.
pub(super) fn output<'py, R: Number>(
    py: Python<'py>,
    shape: &[usize],
    data: Vec<R>,
) -> PyResult<Bound<'py, PyAny>> {
    let array = ArrayD::from_shape_vec(IxDyn(shape), data).map_err(|e| ShapeError::new_err(e.to_string()))?;
    Ok(PyArrayDyn::from_owned_array(py, array).into_any())
}

/// `shape` with its last size replaced.
pub(super) fn with_last(shape: &[usize], last: usize) -> Vec<usize> {
    let mut shape = shape.to_vec();
    if let Some(size) = shape.last_mut() {
        *size = last;
    }
    shape
}

/// The last size of an array of at least one axis, and the product of the others.
pub(super) fn rows_and_columns(op: &str, argument: &str, shape: &[usize]) -> PyResult<(usize, usize)> {
    match shape.split_last() {
        Some((&columns, rows)) => Ok((rows.iter().product(), columns)),
        None => Err(ShapeError::new_err(format!("{op}: {argument}: expected at least one axis, got ()"))),
    }
}
