//! The recurrent layers, for every cell.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Number, by_kind, ids, input, optional, optional_slice, output, slice, target};
use super::error::value_error;
use super::layers::keep;
use super::lie::{GivenOrder, Lie, without_last};
use crate::error::check_shape;
use crate::kernels::{Activation, Lines};
use crate::layers::cell::Cell;
use crate::layers::recurrence::{self, Extras, Input, Passed, Recurrent, Trace, Zoneout};

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(recurrent_forward, module)?)?;
    module.add_function(wrap_pyfunction!(recurrent_forward_tokens, module)?)?;
    module.add_function(wrap_pyfunction!(recurrent_backward, module)?)?;
    module.add_function(wrap_pyfunction!(recurrent_gradient, module)?)?;
    module.add_function(wrap_pyfunction!(recurrent_input_gradients, module)?)?;
    Ok(())
}

/// Returns the cell with this name: "lstm", "gru", or the activation of an RNN.
pub(super) fn cell(name: &str) -> PyResult<Cell> {
    if let Some(activation) = Activation::from_name(name) {
        return Ok(Cell::Rnn(activation));
    }
    match name {
        "lstm" => Ok(Cell::Lstm),
        "gru" => Ok(Cell::Gru),
        _ => {
            let names: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
            let expected = format!("lstm, gru, or an activation: {}", names.join(", "));
            Err(value_error("cell", "cell", &expected, &format!("\"{name}\"")))
        }
    }
}

/// Returns the names of a layer's two methods, for error messages.
fn names(cell: Cell) -> (&'static str, &'static str) {
    match cell {
        Cell::Rnn(_) => ("RNN.forward", "RNN.backward"),
        Cell::Lstm => ("LSTM.forward", "LSTM.backward"),
        Cell::Gru => ("GRU.forward", "GRU.backward"),
    }
}

/// Returns H, given the shape (recurrent·H, H) of W.
fn hidden_of(op: &'static str, cell: Cell, w: &[usize]) -> PyResult<usize> {
    let hidden = w.get(1).copied().unwrap_or(0);
    check_shape(op, "W", w, &[("rows", Some(cell.layout().recurrent * hidden)), ("H", None)])?;
    Ok(hidden)
}

/// Optional additions, as received from Python: a mask (B, H); zoneout's rates of h and c, with a seed and
/// keys (B,) if masks are sampled; γ and β (sums·H,) of a normalization.
pub(super) type GivenExtras<'py> = (
    Option<Bound<'py, PyAny>>,
    Option<(f64, f64, Option<(u64, Bound<'py, PyAny>)>)>,
    Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
);

/// The seed and the keys of masks.
type Drawn = (u64, Vec<u64>);

/// The opened arrays of the additions.
pub(super) struct OpenExtras<'py, R: Number> {
    mask: Option<PyReadonlyArrayDyn<'py, R>>,
    zoneout: Option<([f64; 2], Option<Drawn>)>,
    norm: Option<[PyReadonlyArrayDyn<'py, R>; 2]>,
}

impl<'py, R: Number> OpenExtras<'py, R> {
    pub(super) fn open(op: &'static str, given: Option<GivenExtras<'py>>) -> PyResult<Self> {
        let (mask, zoneout, norm) = given.unwrap_or_default();
        let mask = optional::<R>(op, "mask", mask.as_ref())?;
        let zoneout = zoneout.map(|(h, c, drawn)| {
            let drawn =
                drawn.map(|(seed, keys)| Ok::<_, PyErr>((seed, self::keys(op, &keys)?))).transpose()?;
            Ok::<_, PyErr>(([h, c], drawn))
        });
        let norm = norm.map(|(gain, shift)| {
            Ok::<_, PyErr>([input::<R>(op, "gain", &gain)?, input::<R>(op, "shift", &shift)?])
        });
        Ok(OpenExtras { mask, zoneout: zoneout.transpose()?, norm: norm.transpose()? })
    }

    /// Returns the additions, checked against the sizes.
    pub(super) fn extras(
        &self,
        op: &'static str,
        (cell, hidden): (Cell, usize),
        batch: usize,
    ) -> PyResult<Extras<'_, R>> {
        if let Some(mask) = &self.mask {
            check_shape(op, "mask", mask.shape(), &[("B", Some(batch)), ("H", Some(hidden))])?;
        }
        for norm in self.norm.iter().flatten() {
            check_shape(op, "gain", norm.shape(), &[("sums", Some(cell.layout().sums * hidden))])?;
        }
        let zoneout = match &self.zoneout {
            None => None,
            Some((rates, drawn)) => {
                if let Some(rate) = rates.iter().find(|rate| !(0.0..1.0).contains(*rate)) {
                    return Err(value_error(op, "zoneout", "rates from 0 to below 1", &rate.to_string()));
                }
                if let Some((_, keys)) = drawn {
                    check_shape(op, "keys", &[keys.len()], &[("B", Some(batch))])?;
                }
                Some(Zoneout { rates: *rates, drawn: drawn.as_ref().map(|(seed, keys)| (*seed, &keys[..])) })
            }
        };
        let norm = match &self.norm {
            None => None,
            Some([gain, shift]) => Some((slice(gain)?, slice(shift)?)),
        };
        Ok(Extras { mask: optional_slice(self.mask.as_ref())?, zoneout, norm })
    }
}

/// Returns the keys of sequences: whole numbers, including negative ones.
pub(super) fn keys(op: &str, keys: &Bound<'_, PyAny>) -> PyResult<Vec<u64>> {
    let keys = ids(op, "keys", keys)?;
    Ok(slice(&keys)?.iter().map(|&key| key as u64).collect())
}

/// h; c, the kept values, x̂ and the scales, or None for each; and the last states.
type Traced<'py> = (
    Bound<'py, PyAny>,
    Option<Bound<'py, PyAny>>,
    Option<Bound<'py, PyAny>>,
    Bound<'py, PyAny>,
    Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
);

fn traced<'py, R: Number>(
    py: Python<'py>,
    (cell, hidden): (Cell, usize),
    lie: &Lie,
    trace: Trace<R>,
    (keep, normalized): (bool, bool),
) -> PyResult<Traced<'py>> {
    let layout = cell.layout();
    let h = output(py, &lie.shape(hidden), trace.h)?;
    let c = layout.memory.then(|| output(py, &lie.shape(hidden), trace.c)).transpose()?;
    let wanted = keep && layout.sums > 1;
    let kept = wanted.then(|| output(py, &lie.shape(layout.sums * hidden), trace.kept)).transpose()?;
    let last = output(py, &[lie.sequences.batch(), layout.states() * hidden], trace.last)?;
    let [hat, scales] = trace.normed;
    let normed = if keep && normalized {
        let hat = output(py, &lie.shape(layout.sums * hidden), hat)?;
        Some((hat, output(py, &lie.shape(layout.sums), scales)?))
    } else {
        None
    };
    Ok((h, c, kept, last, normed))
}

/// Returns the states for x, which may have the caller's layout, see [`Lie::lines`].
#[pyfunction]
#[pyo3(signature = (cell, x, U, W, b, state, order, keep, extras=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn recurrent_forward<'py>(
    py: Python<'py>,
    cell: &str,
    x: &Bound<'py, PyAny>,
    U: &Bound<'py, PyAny>,
    W: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    state: Option<&Bound<'py, PyAny>>,
    order: Option<GivenOrder<'py>>,
    keep: bool,
    extras: Option<GivenExtras<'py>>,
) -> PyResult<Traced<'py>> {
    let cell = self::cell(cell)?;
    let (op, _) = names(cell);
    by_kind!(op, "U", U, R => {
        let (x, state) = (input::<R>(op, "x", x)?, optional::<R>(op, "state", state)?);
        let (u, w, b) = (input::<R>(op, "U", U)?, input::<R>(op, "W", W)?, input::<R>(op, "b", b)?);
        let (hidden, inputs) = cell.sizes(op, (u.shape(), w.shape(), b.shape()))?;
        if order.is_none() {
            check_shape(op, "x", x.shape(), &[("T", None), ("B", None), ("I", Some(inputs))])?;
        }
        let lie = Lie::of(op, ("x", without_last(x.shape())), order)?;
        lie.check_state(op, "state", state.as_ref().map(|s| s.shape()), cell.layout().states() * hidden)?;
        let extras = OpenExtras::<R>::open(op, extras)?;
        let extras = extras.extras(op, (cell, hidden), lie.sequences.batch())?;
        let layer = Recurrent { cell, hidden, w: slice(&w)?, extras };
        let given = Input::Vectors { x: lie.lines(op, ("x", &x), ("I", inputs))?, u: slice(&u)?, b: slice(&b)? };
        let first = optional_slice(state.as_ref())?;
        let trace = py.detach(|| recurrence::forward(op, layer, &lie.sequences, given, first, keep))?;
        traced(py, (cell, hidden), &lie, trace, (keep, extras.norm.is_some()))
    })
}

/// Returns the states for token ids, whose b + U E[id] are rows of a table.
#[pyfunction]
#[pyo3(signature = (cell, ids, table, W, state, order, keep, extras=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn recurrent_forward_tokens<'py>(
    py: Python<'py>,
    cell: &str,
    #[pyo3(from_py_with = keep)] ids: Bound<'py, PyAny>,
    table: &Bound<'py, PyAny>,
    W: &Bound<'py, PyAny>,
    state: Option<&Bound<'py, PyAny>>,
    order: Option<GivenOrder<'py>>,
    keep: bool,
    extras: Option<GivenExtras<'py>>,
) -> PyResult<Traced<'py>> {
    let cell = self::cell(cell)?;
    let (op, _) = names(cell);
    by_kind!(op, "W", W, R => {
        let (places, table) = (self::ids(op, "ids", &ids)?, input::<R>(op, "table", table)?);
        let (w, state) = (input::<R>(op, "W", W)?, optional::<R>(op, "state", state)?);
        let hidden = hidden_of(op, cell, w.shape())?;
        let width = cell.layout().sums * hidden;
        check_shape(op, "table", table.shape(), &[("V", None), ("sums", Some(width))])?;
        let lie = Lie::of(op, ("ids", places.shape()), order)?;
        lie.check_ids(op, "ids", places.shape())?;
        lie.check_state(op, "state", state.as_ref().map(|s| s.shape()), cell.layout().states() * hidden)?;
        let extras = OpenExtras::<R>::open(op, extras)?;
        let extras = extras.extras(op, (cell, hidden), lie.sequences.batch())?;
        let layer = Recurrent { cell, hidden, w: slice(&w)?, extras };
        let given = Input::Tokens { ids: slice(&places)?, table: slice(&table)?, width };
        let first = optional_slice(state.as_ref())?;
        let trace = py.detach(|| recurrence::forward(op, layer, &lie.sequences, given, first, keep))?;
        traced(py, (cell, hidden), &lie, trace, (keep, extras.norm.is_some()))
    })
}

/// da, the gradient of the initial states, and the gradients of γ and β or None.
type GoneBack<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>);

/// Runs the backward pass through time; dh may have the caller's layout, see [`Lie::lines`].
#[pyfunction]
#[pyo3(signature = (cell, W, h, c, kept, state, dh, dlast, order, extras=None, normed=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn recurrent_backward<'py>(
    py: Python<'py>,
    cell: &str,
    W: &Bound<'py, PyAny>,
    h: &Bound<'py, PyAny>,
    c: Option<&Bound<'py, PyAny>>,
    kept: Option<&Bound<'py, PyAny>>,
    state: Option<&Bound<'py, PyAny>>,
    dh: Option<&Bound<'py, PyAny>>,
    dlast: Option<&Bound<'py, PyAny>>,
    order: Option<GivenOrder<'py>>,
    extras: Option<GivenExtras<'py>>,
    normed: Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)>,
) -> PyResult<GoneBack<'py>> {
    let cell = self::cell(cell)?;
    let (_, op) = names(cell);
    by_kind!(op, "W", W, R => {
        let (w, h) = (input::<R>(op, "W", W)?, input::<R>(op, "h", h)?);
        let (c, kept) = (optional::<R>(op, "c", c)?, optional::<R>(op, "kept", kept)?);
        let (dh, dlast) = (optional::<R>(op, "dh", dh)?, optional::<R>(op, "dstate", dlast)?);
        let state = optional::<R>(op, "state", state)?;
        let (layout, hidden) = (cell.layout(), hidden_of(op, cell, w.shape())?);
        let lie = Lie::of(op, ("h", without_last(h.shape())), order)?;
        lie.check(op, "h", h.shape(), ("H", hidden))?;
        for (argument, array, wanted, width) in [
            ("c", &c, layout.memory, ("H", hidden)),
            ("kept", &kept, layout.sums > 1, ("sums", layout.sums * hidden)),
        ] {
            match array {
                Some(array) => lie.check(op, argument, array.shape(), width)?,
                None if wanted => return Err(value_error(op, argument, "an array", "None")),
                None => {}
            }
        }
        for (argument, array) in [("state", &state), ("dstate", &dlast)] {
            lie.check_state(op, argument, array.as_ref().map(|s| s.shape()), layout.states() * hidden)?;
        }
        let extras = OpenExtras::<R>::open(op, extras)?;
        let extras = extras.extras(op, (cell, hidden), lie.sequences.batch())?;
        let normed = normed.map(|(hat, scales)| {
            Ok::<_, PyErr>([input::<R>(op, "normed", &hat)?, input::<R>(op, "normed", &scales)?])
        });
        let normed = normed.transpose()?;
        let normed = match (&normed, extras.norm) {
            (None, Some(_)) => return Err(value_error(op, "normed", "two arrays", "None")),
            (Some([hat, scales]), Some(_)) => {
                lie.check(op, "normed", hat.shape(), ("sums", layout.sums * hidden))?;
                lie.check(op, "normed", scales.shape(), ("blocks", layout.sums))?;
                [slice(hat)?, slice(scales)?]
            }
            _ => [&[][..], &[]],
        };
        let layer = Recurrent { cell, hidden, w: slice(&w)?, extras };
        let [c, kept] = [&c, &kept].map(|array| optional_slice(array.as_ref()));
        let passed = Passed {
            h: slice(&h)?,
            c: if layout.memory { c?.unwrap_or_default() } else { &[] },
            kept: if layout.sums > 1 { kept?.unwrap_or_default() } else { &[] },
            first: optional_slice(state.as_ref())?,
            normed,
        };
        let dlast = optional_slice(dlast.as_ref())?;
        let dy = dh.as_ref().map(|dh| lie.lines(op, ("dh", dh), ("H", hidden))).transpose()?;
        let back = py.detach(|| recurrence::backward(op, layer, &lie.sequences, passed, dy, dlast))?;
        let width = layout.sums * hidden;
        let da = output(py, &lie.shape(width), back.da)?;
        let dfirst = output(py, &[lie.sequences.batch(), layout.states() * hidden], back.dfirst)?;
        let [dgain, dshift] = back.dnorm;
        let dnorm = extras.norm.map(|_| Ok::<_, PyErr>((output(py, &[width], dgain)?, output(py, &[width], dshift)?)));
        Ok((da, dfirst, dnorm.transpose()?))
    })
}

/// Adds to dW, given da.
#[pyfunction]
#[pyo3(signature = (cell, da, state, h, dW, order, mask=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn recurrent_gradient<'py>(
    py: Python<'py>,
    cell: &str,
    da: &Bound<'py, PyAny>,
    state: Option<&Bound<'py, PyAny>>,
    h: &Bound<'py, PyAny>,
    dW: &Bound<'py, PyAny>,
    order: Option<GivenOrder<'py>>,
    mask: Option<&Bound<'py, PyAny>>,
) -> PyResult<()> {
    let cell = self::cell(cell)?;
    let (_, op) = names(cell);
    by_kind!(op, "dW", dW, R => {
        let (da, h) = (input::<R>(op, "da", da)?, input::<R>(op, "h", h)?);
        let (state, mask) = (optional::<R>(op, "state", state)?, optional::<R>(op, "mask", mask)?);
        let mut dw = target::<R>(op, "dW", dW)?;
        let (layout, hidden) = (cell.layout(), hidden_of(op, cell, dw.shape())?);
        let lie = Lie::of(op, ("h", without_last(h.shape())), order)?;
        lie.check(op, "h", h.shape(), ("H", hidden))?;
        lie.check(op, "da", da.shape(), ("sums", layout.sums * hidden))?;
        lie.check_state(op, "state", state.as_ref().map(|s| s.shape()), layout.states() * hidden)?;
        if let Some(mask) = &mask {
            check_shape(op, "mask", mask.shape(), &[("B", Some(lie.sequences.batch())), ("H", Some(hidden))])?;
        }
        let states = (optional_slice(state.as_ref())?, slice(&h)?, optional_slice(mask.as_ref())?);
        let (da, dw) = (slice(&da)?, dw.as_slice_mut()?);
        py.detach(|| recurrence::recurrent_gradient(op, (cell, hidden), &lie.sequences, da, states, dw))?;
    });
    Ok(())
}

/// Adds to dU and db, given da; returns dx in the layout of da, or None if not needed. x may have the
/// caller's layout, see [`Lie::lines`].
#[pyfunction]
#[pyo3(signature = (cell, da, x, U, dU, db, need_dx, order=None))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn recurrent_input_gradients<'py>(
    py: Python<'py>,
    cell: &str,
    da: &Bound<'py, PyAny>,
    x: &Bound<'py, PyAny>,
    U: &Bound<'py, PyAny>,
    dU: &Bound<'py, PyAny>,
    db: Option<&Bound<'py, PyAny>>,
    need_dx: bool,
    order: Option<GivenOrder<'py>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let cell = self::cell(cell)?;
    let (_, op) = names(cell);
    by_kind!(op, "U", U, R => {
        let (da, x, u) = (input::<R>(op, "da", da)?, input::<R>(op, "x", x)?, input::<R>(op, "U", U)?);
        let mut du = target::<R>(op, "dU", dU)?;
        let mut db = db.map(|db| target::<R>(op, "db", db)).transpose()?;
        let layout = cell.layout();
        let hidden = u.shape().first().copied().unwrap_or(0) / layout.input_blocks();
        if let Some(db) = &db {
            check_shape(op, "db", db.shape(), &[("sums", Some(layout.sums * hidden))])?;
        }
        check_shape(op, "U", u.shape(), &[("rows", Some(layout.input_blocks() * hidden)), ("I", None)])?;
        let inputs = u.shape()[1];
        check_shape(op, "dU", du.shape(), &[("rows", Some(u.shape()[0])), ("I", Some(inputs))])?;
        let lie = order.map(|order| Lie::of(op, ("x", x.shape()), Some(order))).transpose()?;
        let rows = lie.as_ref().map_or(without_last(x.shape()).to_vec(), |lie| vec![lie.sequences.rows()]);
        let with = |width| -> Vec<_> {
            rows.iter().map(|&n| ("n", Some(n))).chain([("numbers", Some(width))]).collect()
        };
        let lines = if let Some(lie) = &lie {
            lie.lines(op, ("x", &x), ("I", inputs))?
        } else {
            check_shape(op, "x", x.shape(), &with(inputs))?;
            Lines::all(slice(&x)?, inputs)
        };
        check_shape(op, "da", da.shape(), &with(layout.sums * hidden))?;
        let (da, from) = (slice(&da)?, (lines, slice(&u)?));
        let db = db.as_mut().map(|db| db.as_slice_mut()).transpose()?;
        let into = (du.as_slice_mut()?, db);
        let dx = py.detach(|| recurrence::input_gradients(op, (cell, hidden), da, from, into, need_dx))?;
        dx.map(|dx| output(py, &[&rows[..], &[inputs]].concat(), dx)).transpose()
    })
}
