//! The stepper: one call per token.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Kind, Number, ids, input, kind, output, slice};
use super::error::value_error;
use super::recurrence::{GivenExtras, OpenExtras, cell};
use crate::error::check_shape;
use crate::layers::cell::Cell;
use crate::layers::recurrence::Recurrent;
use crate::layers::stepper::{Stepper, Weights};

/// Embedding, recurrent layers and output layer with their weights packed once, for stepping a batch of
/// `batch` sequences.
#[pyclass(name = "Stepper", module = "rnnrs._rnnrs")]
pub(super) struct PyStepper {
    inner: Inner,
}

enum Inner {
    F32(Stepper<f32>),
    F64(Stepper<f64>),
}

/// Evaluates an expression on the inner stepper.
macro_rules! inner {
    ($self:expr, $stepper:ident => $body:expr) => {
        match $self {
            Inner::F32($stepper) => $body,
            Inner::F64($stepper) => $body,
        }
    };
}

const OP: &str = "Stepper";

/// The number of tokens from which reading them releases the GIL.
const FEW: usize = 16;

/// A recurrent layer as received from Python: cell, U, W, b, and optional additions.
pub(super) type GivenLayer<'py> =
    (String, Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>, Option<GivenExtras<'py>>);

/// The opened arrays of a recurrent layer.
pub(super) struct OpenLayer<'py, R: Number> {
    cell: Cell,
    u: PyReadonlyArrayDyn<'py, R>,
    w: PyReadonlyArrayDyn<'py, R>,
    b: PyReadonlyArrayDyn<'py, R>,
    extras: OpenExtras<'py, R>,
}

pub(super) fn open<'py, R: Number>(
    op: &'static str,
    (name, u, w, b, extras): &GivenLayer<'py>,
) -> PyResult<OpenLayer<'py, R>> {
    let cell = cell(name)?;
    let (u, w, b) = (input::<R>(op, "U", u)?, input::<R>(op, "W", w)?, input::<R>(op, "b", b)?);
    Ok(OpenLayer { cell, u, w, b, extras: OpenExtras::open(op, extras.clone())? })
}

/// Returns the weights of stacked layers, the lowest of which has `width` inputs, and H of the highest.
pub(super) fn stacked<'a, R: Number>(
    op: &'static str,
    layers: &'a [OpenLayer<'_, R>],
    mut width: usize,
    batch: usize,
) -> PyResult<(Vec<Weights<'a, R>>, usize)> {
    let mut weights = Vec::with_capacity(layers.len());
    for OpenLayer { cell, u, w, b, extras } in layers {
        let (hidden, inputs) = cell.sizes(op, (u.shape(), w.shape(), b.shape()))?;
        check_shape(op, "U", u.shape(), &[("rows", None), ("I", Some(width))])?;
        let extras = extras.extras(op, (*cell, hidden), batch)?;
        let recurrent = Recurrent { cell: *cell, hidden, w: slice(w)?, extras };
        weights.push(Weights { recurrent, u: slice(u)?, inputs, b: slice(b)? });
        width = hidden;
    }
    if weights.is_empty() {
        return Err(value_error(op, "layers", "at least one", "none"));
    }
    Ok((weights, width))
}

fn build<R: Number>(
    e: &Bound<'_, PyAny>,
    layers: &[GivenLayer<'_>],
    (v, c): (&Bound<'_, PyAny>, &Bound<'_, PyAny>),
    batch: usize,
) -> PyResult<Stepper<R>> {
    let (e, v, c) = (input::<R>(OP, "E", e)?, input::<R>(OP, "V", v)?, input::<R>(OP, "c", c)?);
    check_shape(OP, "E", e.shape(), &[("V", None), ("I", None)])?;
    let layers = layers.iter().map(|layer| open::<R>(OP, layer)).collect::<PyResult<Vec<_>>>()?;
    let (weights, width) = stacked(OP, &layers, e.shape()[1], batch)?;
    check_shape(OP, "V", v.shape(), &[("O", None), ("H", Some(width))])?;
    check_shape(OP, "c", c.shape(), &[("O", Some(v.shape()[0]))])?;
    let (table, output) = (slice(&e)?, (slice(&v)?, slice(&c)?));
    Ok(e.py().detach(|| Stepper::new(table, &weights, output, batch))?)
}

/// Returns whether a step takes long enough to release the GIL, or is divided among threads: these may be
/// busy with a computation that waits for the GIL.
fn is_long<R: Number>(stepper: &Stepper<R>) -> bool {
    let operations = stepper.batch() * stepper.hidden() * (stepper.hidden() + stepper.outputs());
    stepper.is_divided() || operations >= 1 << 18
}

fn step<R: Number>(stepper: &mut Stepper<R>, ids: &[i64]) -> crate::Result<Vec<R>> {
    stepper.advance(ids)?;
    Ok(stepper.output()?.to_vec())
}

fn read<R: Number>(stepper: &mut Stepper<R>, ids: &[i64]) -> crate::Result<Vec<R>> {
    ids.iter().try_for_each(|id| stepper.advance(&[*id]))?;
    Ok(stepper.output()?.to_vec())
}

#[pymethods]
impl PyStepper {
    #[new]
    #[pyo3(signature = (E, layers, V, c, batch=1))]
    #[allow(non_snake_case)]
    fn new(
        E: &Bound<'_, PyAny>,
        layers: Vec<GivenLayer<'_>>,
        V: &Bound<'_, PyAny>,
        c: &Bound<'_, PyAny>,
        batch: usize,
    ) -> PyResult<Self> {
        if batch == 0 {
            return Err(value_error(OP, "batch", "a number from 1", "0"));
        }
        let inner = match kind(OP, "E", E)? {
            Kind::F32 => Inner::F32(build(E, &layers, (V, c), batch)?),
            Kind::F64 => Inner::F64(build(E, &layers, (V, c), batch)?),
        };
        Ok(PyStepper { inner })
    }

    /// Number of sequences: that of the state which was set last.
    #[getter]
    fn batch(&self) -> usize {
        inner!(&self.inner, s => s.batch())
    }

    /// Sets the state to zero.
    fn reset(&mut self) {
        inner!(&mut self.inner, s => s.reset());
    }

    /// The state (batch, state size), a copy: layer by layer h, and c if the layer has one.
    #[getter]
    fn state<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        inner!(&self.inner, s => output(py, &[s.batch(), s.state_size()], s.state()))
    }

    /// A state of another number of sequences changes their number.
    #[setter]
    fn set_state(&mut self, state: &Bound<'_, PyAny>) -> PyResult<()> {
        inner!(&mut self.inner, s => {
            let state = input(OP, "state", state)?;
            check_shape(OP, "state", state.shape(), &[("batch", None), ("S", Some(s.state_size()))])?;
            if state.shape()[0] == 0 {
                return Err(value_error(OP, "state", "at least one sequence", "none"));
            }
            Ok(s.set_state(slice(&state)?)?)
        })
    }

    /// Reads one token per sequence; returns the scores of the next token, (batch, V), or (V,)
    /// for a single id.
    fn step<'py>(&mut self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if let Ok(id) = ids.extract::<i64>() {
            return inner!(&mut self.inner, s => {
                if s.batch() != 1 {
                    return Err(value_error(OP, "ids", &format!("{} ids, one per sequence", s.batch()), "one"));
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

    /// Reads a text of one sequence; returns the scores of the next token (V,).
    fn read<'py>(&mut self, py: Python<'py>, ids: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let places = self::ids(OP, "ids", ids)?;
        inner!(&mut self.inner, s => {
            check_shape(OP, "ids", places.shape(), &[("n", None)])?;
            if s.batch() != 1 {
                return Err(value_error(OP, "batch", "1 to read a text", &s.batch().to_string()));
            }
            let places = slice(&places)?;
            if places.len() < FEW && !is_long(s) {
                return output(py, &[s.outputs()], read(s, places)?);
            }
            let (before, last) = places.split_at(places.len() - places.len().min(1));
            for some in before.chunks(1024) {
                py.detach(|| some.iter().try_for_each(|id| s.advance(&[*id])))?;
                py.check_signals()?;
            }
            let o = py.detach(|| read(s, last))?;
            output(py, &[s.outputs()], o)
        })
    }
}
