//! The output-to-hidden network.

mod arrays;

use numpy::{PyArray1, PyArrayDyn, PyArrayMethods, PyUntypedArrayMethods};
use pyo3::prelude::*;

use arrays::{Any, Feed, Open, Six, Three, first_tokens, open_keys, open_lengths};

use super::array::{Number, by_kind, input, optional_slice, output, slice, target};
use super::error::value_error;
use crate::error::check_shape;
use crate::layers::jordan::back::{self, Passed};
use crate::layers::jordan::driven::{self, Network, Schedule, Teacher};
use crate::layers::jordan::{Fed, Later, Sizes, WeightGradients, forced, table};

const FORWARD: &str = "JordanRNN.forward";
const BACKWARD: &str = "JordanRNN.backward";

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(jordan_forced, module)?)?;
    module.add_function(wrap_pyfunction!(jordan_driven, module)?)?;
    module.add_function(wrap_pyfunction!(jordan_local, module)?)?;
    module.add_function(wrap_pyfunction!(jordan_through, module)?)?;
    module.add_function(wrap_pyfunction!(jordan_gradients, module)?)?;
    Ok(())
}

/// Returns (o (T, B, O), h (T, B, H)) for feedback that is known beforehand. `fed` = (first, values, ids):
/// `first` (B, F) is fed at the first step; then `values` (T, B, F), each at the step after its own, or `ids`
/// (T, B), each at its own step.
#[pyfunction]
#[pyo3(signature = (x, fed, parameters, activation, lengths))]
fn jordan_forced<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    fed: Three<'py>,
    parameters: Six<'py>,
    activation: &str,
    lengths: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>)> {
    let f = arrays::activation(FORWARD, activation)?;
    by_kind!(FORWARD, "U", &parameters.0, R => {
        let (open, x) = (Open::<R>::new(FORWARD, &parameters)?, input::<R>(FORWARD, "x", x)?);
        let sizes = open.sizes(FORWARD, x.shape())?;
        let feed = Feed::<R>::new(FORWARD, sizes, &fed)?;
        let lengths = open_lengths(sizes, lengths)?;
        let (weights, x, e) = (open.weights()?, slice(&x)?, optional_slice(open.e.as_ref())?);
        let (lengths, tokens) = (optional_slice(lengths.as_ref())?, feed.ids.is_some());
        let known = feed.fed(&[])?;
        let (h, o) = py.detach(|| {
            let width = (sizes.outputs, sizes.hidden, sizes.fed);
            let rows = if tokens { table::table(FORWARD, weights.w, width, e)? } else { Vec::new() };
            let later = match known.later {
                Later::Tokens { ids, .. } if tokens => Later::Tokens { ids, table: &rows },
                // Neither values nor ids were given, so no step after the first is fed.
                Later::Tokens { .. } => return Err(nothing_fed()),
                values @ Later::Values(_) => values,
            };
            forced::forward(f, sizes, weights, x, Fed { later, ..known }, lengths)
        })?;
        results(py, sizes, h, o)
    })
}

fn nothing_fed() -> crate::Error {
    crate::Error::Value {
        op: FORWARD,
        argument: "targets",
        expected: "ids or values".into(),
        got: "neither".into(),
    }
}

fn results<R: Number>(py: Python<'_>, sizes: Sizes, h: Vec<R>, o: Vec<R>) -> PyResult<(Any<'_>, Any<'_>)> {
    let Sizes { steps, batch, hidden, outputs, .. } = sizes;
    Ok((output(py, &[steps, batch, outputs], o)?, output(py, &[steps, batch, hidden], h)?))
}

/// The settings of a run with the network's own output fed back: (feedback, temperature, forcing,
/// seed, step, keys).
type Settings<'py> = (String, f64, f64, u64, u64, Any<'py>);

/// Returns (o (T, B, O), h (T, B, H), the feedback (T + 1, B, O) or (T + 1, B), where it is the network's
/// own (T + 1, B)).
///
/// `fed` = (first, values, ids): `first` holds values (B, O), or tokens (B) if tokens are fed back; `values`
/// or `ids` are the targets, or both are None.
#[pyfunction]
#[pyo3(signature = (x, fed, parameters, activation, settings, lengths))]
#[allow(clippy::type_complexity, clippy::too_many_arguments)]
fn jordan_driven<'py>(
    py: Python<'py>,
    x: &Any<'py>,
    mut fed: Three<'py>,
    parameters: Six<'py>,
    activation: &str,
    settings: Settings<'py>,
    lengths: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>, Any<'py>, Any<'py>)> {
    let f = arrays::activation(FORWARD, activation)?;
    let (feedback, temperature, forcing, seed, step, keys) = settings;
    let own = arrays::own(FORWARD, &feedback)?;
    if !(0.0..=1.0).contains(&forcing) {
        return Err(value_error(FORWARD, "teacher_forcing", "a number from 0 to 1", &forcing.to_string()));
    }
    by_kind!(FORWARD, "U", &parameters.0, R => {
        let (open, x) = (Open::<R>::new(FORWARD, &parameters)?, input::<R>(FORWARD, "x", x)?);
        let sizes = open.sizes(FORWARD, x.shape())?;
        // If tokens are fed back, the first feedback is a token, too.
        let tokens = if own.is_none() { fed.0.take() } else { None };
        let feed = Feed::<R>::new(FORWARD, sizes, &fed)?;
        let tokens = first_tokens(sizes, tokens.as_ref())?;
        let (keys, lengths) = (open_keys(sizes, &keys)?, open_lengths(sizes, lengths)?);
        let network = Network {
            activation: f,
            sizes,
            weights: open.weights()?,
            x: slice(&x)?,
            lengths: optional_slice(lengths.as_ref())?,
        };
        let schedule = Schedule { forcing, seed, step, keys: &keys };
        let ids = optional_slice(feed.ids.as_ref())?;
        let targets = match (&feed.values, ids) {
            (Some(values), _) => Teacher::Values(slice(values)?),
            (None, Some(ids)) => Teacher::Ids(ids),
            (None, None) => Teacher::Absent,
        };
        let Some(own) = own else {
            let (e, tokens) = (optional_slice(open.e.as_ref())?, optional_slice(tokens.as_ref())?);
            let run = py.detach(|| {
                let width = (sizes.outputs, sizes.hidden, sizes.fed);
                let rows = table::table(FORWARD, network.weights.w, width, e)?;
                driven::with_tokens(network, (temperature, &rows), tokens, (ids, schedule))
            })?;
            let (o, h) = results(py, sizes, run.h, run.o)?;
            return Ok((o, h, steps_and_one(py, sizes, run.ids)?, steps_and_one(py, sizes, run.own)?));
        };
        let first = optional_slice(feed.first.as_ref())?;
        let run = py.detach(|| driven::with_numbers(network, own, first, (targets, schedule)))?;
        let (o, h) = results(py, sizes, run.h, run.o)?;
        let z = output(py, &[sizes.steps + 1, sizes.batch, sizes.outputs], run.z)?;
        Ok((o, h, z, steps_and_one(py, sizes, run.own)?))
    })
}

/// Returns an array (T + 1, B) of ids or booleans.
fn steps_and_one<T: numpy::Element>(py: Python<'_>, sizes: Sizes, data: Vec<T>) -> PyResult<Any<'_>> {
    Ok(PyArray1::from_vec(py, data).reshape([sizes.steps + 1, sizes.batch])?.into_any())
}

/// Returns the sizes, from the checked shapes of h (T, B, H), do (T, B, O) and V (O, H).
fn sizes_back(h: &[usize], dout: &[usize], v: &[usize]) -> PyResult<Sizes> {
    check_shape(BACKWARD, "V", v, &[("O", None), ("H", None)])?;
    let (outputs, hidden) = (v[0], v[1]);
    check_shape(BACKWARD, "h", h, &[("T", None), ("B", None), ("H", Some(hidden))])?;
    let (steps, batch) = (h[0], h[1]);
    check_shape(BACKWARD, "do", dout, &[("T", Some(steps)), ("B", Some(batch)), ("O", Some(outputs))])?;
    Ok(Sizes { steps, batch, inputs: 0, hidden, outputs, fed: outputs })
}

/// Returns da (T, B, H), given do (T, B, O), without any gradient from step to step.
#[pyfunction]
#[pyo3(signature = (r#do, h, V, activation))]
#[allow(non_snake_case)]
fn jordan_local<'py>(
    py: Python<'py>,
    r#do: &Any<'py>,
    h: &Any<'py>,
    V: &Any<'py>,
    activation: &str,
) -> PyResult<Any<'py>> {
    let f = arrays::activation(BACKWARD, activation)?;
    by_kind!(BACKWARD, "V", V, R => {
        let (dout, h) = (input::<R>(BACKWARD, "do", r#do)?, input::<R>(BACKWARD, "h", h)?);
        let v = input::<R>(BACKWARD, "V", V)?;
        let sizes = sizes_back(h.shape(), dout.shape(), v.shape())?;
        let (dout, states, v) = (slice(&dout)?, slice(&h)?, slice(&v)?);
        let da = py.detach(|| forced::backward(f, sizes, v, states, dout))?;
        output(py, h.shape(), da)
    })
}

/// Returns (da (T, B, H), the total gradient of o (T, B, O)), given do (T, B, O), through the outputs that
/// were fed back: z (T + 1, B, O) where `own` (T + 1, B) is true.
#[pyfunction]
#[pyo3(signature = (r#do, h, z, own, W, V, activation, feedback))]
#[allow(non_snake_case, clippy::too_many_arguments)]
fn jordan_through<'py>(
    py: Python<'py>,
    r#do: &Any<'py>,
    h: &Any<'py>,
    z: &Any<'py>,
    own: &Any<'py>,
    W: &Any<'py>,
    V: &Any<'py>,
    activation: &str,
    feedback: &str,
) -> PyResult<(Any<'py>, Any<'py>)> {
    let f = arrays::activation(BACKWARD, activation)?;
    let Some(what) = arrays::own(BACKWARD, feedback)? else {
        return Err(value_error(BACKWARD, "feedback", "output or softmax", &format!("\"{feedback}\"")));
    };
    by_kind!(BACKWARD, "V", V, R => {
        let (dout, h) = (input::<R>(BACKWARD, "do", r#do)?, input::<R>(BACKWARD, "h", h)?);
        let (w, v, z) = (input::<R>(BACKWARD, "W", W)?, input::<R>(BACKWARD, "V", V)?, input::<R>(BACKWARD, "z", z)?);
        let sizes = sizes_back(h.shape(), dout.shape(), v.shape())?;
        let (hidden, outputs) = (("H", Some(sizes.hidden)), ("O", Some(sizes.outputs)));
        let places = [("T + 1", Some(sizes.steps + 1)), ("B", Some(sizes.batch))];
        check_shape(BACKWARD, "W", w.shape(), &[hidden, outputs])?;
        check_shape(BACKWARD, "z", z.shape(), &[places[0], places[1], outputs])?;
        let own = own.cast::<PyArrayDyn<bool>>()?.try_readonly()?;
        check_shape(BACKWARD, "own", own.shape(), &places)?;
        let (weights, dout) = ((slice(&w)?, slice(&v)?), slice(&dout)?);
        let run = (slice(&h)?, slice(&z)?, slice(&own)?);
        let (da, total) = py.detach(|| back::through((f, what), sizes, weights, run, dout))?;
        Ok((output(py, h.shape(), da)?, output(py, &[sizes.steps, sizes.batch, sizes.outputs], total)?))
    })
}

/// Adds dU, dW, db, dV, dc (and dE), given da (T, B, H) and do (T, B, O). Returns (dx (T, B, I), the gradient
/// of z at the first step (B, F)), or None if not needed. `fed` is the feedback, as in `jordan_forced`.
#[pyfunction]
#[pyo3(signature = (da, r#do, x, h, fed, parameters, gradients, need_dx))]
#[allow(clippy::too_many_arguments)]
fn jordan_gradients<'py>(
    py: Python<'py>,
    da: &Any<'py>,
    r#do: &Any<'py>,
    x: &Any<'py>,
    h: &Any<'py>,
    fed: Three<'py>,
    parameters: Six<'py>,
    gradients: Six<'py>,
    need_dx: bool,
) -> PyResult<Option<(Any<'py>, Any<'py>)>> {
    by_kind!(BACKWARD, "U", &parameters.0, R => {
        let (open, x) = (Open::<R>::new(BACKWARD, &parameters)?, input::<R>(BACKWARD, "x", x)?);
        let sizes = open.sizes(BACKWARD, x.shape())?;
        let (da, dout, h) =
            (input::<R>(BACKWARD, "da", da)?, input::<R>(BACKWARD, "do", r#do)?, input::<R>(BACKWARD, "h", h)?);
        sizes_back(h.shape(), dout.shape(), open.v.shape())?;
        for (name, array) in [("h", &h), ("da", &da)] {
            let axes = [("T", Some(sizes.steps)), ("B", Some(sizes.batch)), ("H", Some(sizes.hidden))];
            check_shape(BACKWARD, name, array.shape(), &axes)?;
        }
        let feed = Feed::<R>::new(BACKWARD, sizes, &fed)?;
        let (du, dw, db, dv, dc, de) = &gradients;
        let mut into = [
            target::<R>(BACKWARD, "dU", du)?,
            target::<R>(BACKWARD, "dW", dw)?,
            target::<R>(BACKWARD, "db", db)?,
            target::<R>(BACKWARD, "dV", dv)?,
            target::<R>(BACKWARD, "dc", dc)?,
        ];
        let shapes = [open.u.shape(), open.w.shape(), open.b.shape(), open.v.shape(), open.c.shape()];
        for ((name, array), shape) in ["dU", "dW", "db", "dV", "dc"].into_iter().zip(&into).zip(shapes) {
            check_shape(BACKWARD, name, array.shape(), &exactly(shape))?;
        }
        let mut de = de.as_ref().map(|de| target::<R>(BACKWARD, "dE", de)).transpose()?;
        if let (Some(de), Some(e)) = (&de, &open.e) {
            check_shape(BACKWARD, "dE", de.shape(), &exactly(e.shape()))?;
        }
        let embedding = match (&open.e, &mut de) {
            (Some(e), Some(de)) => Some((slice(e)?, de.as_slice_mut()?)),
            _ => None,
        };
        let (weights, fed) = (open.weights()?, feed.fed(&[])?);
        let passed = Passed { x: slice(&x)?, h: slice(&h)?, da: slice(&da)?, dout: slice(&dout)?, fed };
        let [du, dw, db, dv, dc] = &mut into;
        let into = WeightGradients {
            u: du.as_slice_mut()?,
            w: dw.as_slice_mut()?,
            b: db.as_slice_mut()?,
            v: dv.as_slice_mut()?,
            c: dc.as_slice_mut()?,
        };
        let both = py.detach(|| {
            let Some(dx) = back::gradients(sizes, weights, passed, into, embedding, need_dx)? else {
                return Ok(None);
            };
            back::first_gradient(sizes, weights.w, passed.da).map(|first| Some((dx, first)))
        })?;
        let Some((dx, dfirst)) = both else { return Ok(None) };
        Ok(Some((output(py, x.shape(), dx)?, output(py, &[sizes.batch, sizes.fed], dfirst)?)))
    })
}

fn exactly(shape: &[usize]) -> Vec<(&'static str, Option<usize>)> {
    shape.iter().map(|&n| ("n", Some(n))).collect()
}
