//! Conversion between tensors with a line of metadata and the bytes of a safetensors file.

use std::borrow::Cow;
use std::collections::HashMap;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};
use safetensors::tensor::{Dtype, SafeTensors, View};

use super::error::{FormatError, dtype_error};

/// The element types of safetensors and their names in NumPy.
const DTYPES: [(&str, Dtype); 6] = [
    ("<f4", Dtype::F32),
    ("<f8", Dtype::F64),
    ("<i8", Dtype::I64),
    ("<i4", Dtype::I32),
    ("|u1", Dtype::U8),
    ("|b1", Dtype::BOOL),
];

/// The key of the line of metadata in the file's header.
const KEY: &str = "rnnrs";

struct Tensor<'py> {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Bound<'py, PyBytes>,
}

impl View for Tensor<'_> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        self.data.as_bytes().into()
    }
    fn data_len(&self) -> usize {
        self.data.as_bytes().len()
    }
}

/// Returns the bytes of a safetensors file.
#[pyfunction]
pub(super) fn serialize<'py>(
    py: Python<'py>,
    tensors: &Bound<'py, PyDict>,
    metadata: &str,
) -> PyResult<Bound<'py, PyBytes>> {
    let numpy = py.import("numpy")?;
    let mut views = Vec::with_capacity(tensors.len());
    for (name, array) in tensors.iter() {
        let name: String = name.extract()?;
        let array = numpy.call_method1("asarray", (&array,))?;
        let little = array.getattr("dtype")?.call_method1("newbyteorder", ("<",))?;
        let code: String = little.getattr("str")?.extract()?;
        let Some((_, dtype)) = DTYPES.iter().find(|(known, _)| *known == code) else {
            return Err(dtype_error(
                "serialize",
                &name,
                "float32, float64, int64, int32, uint8 or bool",
                &code,
            ));
        };
        let data =
            array.call_method1("astype", (little,))?.call_method0("tobytes")?.cast_into::<PyBytes>()?;
        views.push((name, Tensor { dtype: *dtype, shape: array.getattr("shape")?.extract()?, data }));
    }
    let header = HashMap::from([(KEY.to_string(), metadata.to_string())]);
    let bytes =
        safetensors::serialize(views, Some(header)).map_err(|e| FormatError::new_err(e.to_string()))?;
    Ok(PyBytes::new(py, &bytes))
}

/// Returns the tensors and the line of metadata of a safetensors file; None if it has no such line.
#[pyfunction]
pub(super) fn deserialize<'py>(
    py: Python<'py>,
    data: &[u8],
) -> PyResult<(Bound<'py, PyDict>, Option<String>)> {
    let malformed =
        |e: safetensors::SafeTensorError| FormatError::new_err(format!("not a safetensors file: {e}"));
    let (_, header) = SafeTensors::read_metadata(data).map_err(malformed)?;
    let file = SafeTensors::deserialize(data).map_err(malformed)?;
    let numpy = py.import("numpy")?;
    let tensors = PyDict::new(py);
    let mut names = file.names();
    names.sort_unstable();
    for name in names {
        let view = file.tensor(name).map_err(malformed)?;
        let Some((code, _)) = DTYPES.iter().find(|(_, known)| *known == view.dtype()) else {
            return Err(FormatError::new_err(format!(
                "tensor {name}: unsupported element type {}",
                view.dtype()
            )));
        };
        let flat = numpy.call_method1("frombuffer", (PyBytes::new(py, view.data()), *code))?;
        let array = flat.call_method1("reshape", (view.shape().to_vec(),))?.call_method0("copy")?;
        tensors.set_item(name, array)?;
    }
    let metadata = header.metadata().as_ref().and_then(|m| m.get(KEY).cloned());
    Ok((tensors, metadata))
}
