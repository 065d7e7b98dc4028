//! The stepper: one call per token.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Kind, Number, ids, input, kind, output, slice};
use super::error::value_error;
use super::layers::cell;
use crate::error::check_shape;
use crate::layers::recurrence::Weights;
use crate::layers::stepper::Stepper;

/// Embedding, recurrence and output layer with their weights packed once, stepping `batch` sequences side by side.
#[pyclass(name = "Stepper", module = "rnnrs._rnnrs")]
pub(super) struct PyStepper {
    inner: Inner,
}

enum Inner {
    F32(Stepper<f32>),
    F64(Stepper<f64>),
}

/// Runs an expression on the stepper inside.
macro_rules! inner {
    ($self:expr, $stepper:ident => $body:expr) => {
        match $self {
            Inner::F32($stepper) => $body,
            Inner::F64($stepper) => $body,
        }
    };
}

const OP: &str = "Stepper";

type Seven<'a, 'py> = [&'a Bound<'py, PyAny>; 6];

fn build<R: Number>(arrays: Seven<'_, '_>, activation: &str, batch: usize) -> PyResult<Stepper<R>> {
    let names = ["E", "U", "W", "b", "V", "c"];
    let open = |i: usize| -> PyResult<PyReadonlyArrayDyn<'_, R>> { input::<R>(OP, names[i], arrays[i]) };
    let (e, u, w, b, v, c) = (open(0)?, open(1)?, open(2)?, open(3)?, open(4)?, open(5)?);
    check_shape(OP, "E", e.shape(), &[("V", None), ("I", None)])?;
    let inputs = e.shape()[1];
    check_shape(OP, "U", u.shape(), &[("H", None), ("I", Some(inputs))])?;
    let hidden = u.shape()[0];
    check_shape(OP, "W", w.shape(), &[("H", Some(hidden)), ("H", Some(hidden))])?;
    check_shape(OP, "b", b.shape(), &[("H", Some(hidden))])?;
    check_shape(OP, "V", v.shape(), &[("O", None), ("H", Some(hidden))])?;
    check_shape(OP, "c", c.shape(), &[("O", Some(v.shape()[0]))])?;
    let weights = Weights { u: slice(&u)?, w: slice(&w)?, b: slice(&b)? };
    Ok(Stepper::new(cell(OP, activation)?, (slice(&e)?, inputs), weights, (slice(&v)?, slice(&c)?), batch)?)
}

/// Whether a step takes long enough for others to have the GIL meanwhile.
fn is_long<R: Number>(stepper: &Stepper<R>) -> bool {
    stepper.batch() * stepper.hidden() * (stepper.hidden() + stepper.outputs()) >= 1 << 18
}

fn step<R: Number>(stepper: &mut Stepper<R>, ids: &[i64]) -> crate::Result<Vec<R>> {
    stepper.advance(ids)?;
    Ok(stepper.output()?.to_vec())
}

#[pymethods]
impl PyStepper {
    #[new]
    #[pyo3(signature = (E, U, W, b, V, c, activation, batch=1))]
    #[allow(non_snake_case, clippy::too_many_arguments)]
    fn new(
        E: &Bound<'_, PyAny>,
        U: &Bound<'_, PyAny>,
        W: &Bound<'_, PyAny>,
        b: &Bound<'_, PyAny>,
        V: &Bound<'_, PyAny>,
        c: &Bound<'_, PyAny>,
        activation: &str,
        batch: usize,
    ) -> PyResult<Self> {
        if batch == 0 {
            return Err(value_error(OP, "batch", "a number from 1", "0"));
        }
        let arrays = [E, U, W, b, V, c];
        let inner = match kind(OP, "E", E)? {
            Kind::F32 => Inner::F32(build(arrays, activation, batch)?),
            Kind::F64 => Inner::F64(build(arrays, activation, batch)?),
        };
        Ok(PyStepper { inner })
    }

    /// Sequences side by side.
    #[getter]
    fn batch(&self) -> usize {
        inner!(&self.inner, s => s.batch())
    }

    /// Sets the state to zero.
    fn reset(&mut self) {
        inner!(&mut self.inner, s => s.state_mut().fill(0.0));
    }

    /// h (batch, H), a copy.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        inner!(&self.inner, s => output(py, &[s.batch(), s.hidden()], s.state().to_vec()))
    }

    #[setter]
    fn set_state(&mut self, state: &Bound<'_, PyAny>) -> PyResult<()> {
        inner!(&mut self.inner, s => {
            let state = input(OP, "state", state)?;
            check_shape(OP, "state", state.shape(), &[("batch", Some(s.batch())), ("H", Some(s.hidden()))])?;
            s.state_mut().copy_from_slice(slice(&state)?);
            Ok(())
        })
    }

    /// Reads one token for each sequence; gives the scores of what may come next: (batch, V), or (V,) for one id.
    fn step<'py>(&mut self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(id) = ids.extract::<i64>() {
            return inner!(&mut self.inner, s => {
                if s.batch() != 1 {
                    return Err(value_error(OP, "ids", &format!("{} ids, one a sequence", s.batch()), "one"));
                }
                let o = if is_long(s) { py.detach(|| step(s, &[id])) } else { step(s, &[id]) }?;
                output(py, &[s.outputs()], o)
            });
        }
        let places = self::ids(OP, "ids", ids)?;
        inner!(&mut self.inner, s => {
            check_shape(OP, "ids", places.shape(), &[("batch", Some(s.batch()))])?;
            let places = slice(&places)?;
            let o = if is_long(s) { py.detach(|| step(s, places)) } else { step(s, places) }?;
            output(py, &[s.batch(), s.outputs()], o)
        })
    }

    /// Reads a text of one sequence; gives the scores of what may come next (V,).
    fn read<'py>(&mut self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let places = self::ids(OP, "ids", ids)?;
        inner!(&mut self.inner, s => {
            check_shape(OP, "ids", places.shape(), &[("n", None)])?;
            if s.batch() != 1 {
                return Err(value_error(OP, "batch", "1, to read one text", &s.batch().to_string()));
            }
            let places = slice(&places)?;
            for (i, id) in places.iter().enumerate() {
                s.advance(&[*id])?;
                if i % 1024 == 1023 {
                    py.check_signals()?;
                }
            }
            output(py, &[s.outputs()], s.output()?.to_vec())
        })
    }
}
