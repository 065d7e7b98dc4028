//! Attention, and nonlinearities between layers.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Number, by_kind, ids, input, optional, optional_slice, output, slice, target};
use super::error::value_error;
use crate::error::check_shape;
use crate::kernels::Activation;
use crate::layers::activation;
use crate::layers::attention::{self, Asked, Pairs, Score};

type Any<'py> = Bound<'py, PyAny>;

pub(super) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(attention_forward, module)?)?;
    module.add_function(wrap_pyfunction!(attention_backward, module)?)?;
    module.add_function(wrap_pyfunction!(activate, module)?)?;
    module.add_function(wrap_pyfunction!(differentiate, module)?)?;
    Ok(())
}

/// Returns the number of steps of every sequence of a batch: `most` without lengths.
pub(super) fn steps(
    op: &'static str,
    argument: &'static str,
    lengths: Option<&Any<'_>>,
    (most, batch): (usize, usize),
) -> PyResult<Vec<usize>> {
    let Some(lengths) = lengths else { return Ok(vec![most; batch]) };
    let lengths = ids(op, argument, lengths)?;
    check_shape(op, argument, lengths.shape(), &[("B", Some(batch))])?;
    let length = |&length: &i64| {
        usize::try_from(length).ok().filter(|&n| n <= most).ok_or_else(|| {
            value_error(op, argument, &format!("numbers from 0 to {most}"), &length.to_string())
        })
    };
    slice(&lengths)?.iter().map(length).collect()
}

/// The arrays of an attention, with shapes checked against each other.
struct Open<'py, R: Number> {
    q: PyReadonlyArrayDyn<'py, R>,
    keys: PyReadonlyArrayDyn<'py, R>,
    values: PyReadonlyArrayDyn<'py, R>,
    v: Option<PyReadonlyArrayDyn<'py, R>>,
    lengths: Vec<usize>,
    source_lengths: Vec<usize>,
}

impl<'py, R: Number> Open<'py, R> {
    fn new(
        op: &'static str,
        [q, keys, values]: [&Any<'py>; 3],
        v: Option<&Any<'py>>,
        [lengths, source_lengths]: [Option<&Any<'py>>; 2],
    ) -> PyResult<Self> {
        let (q, keys) = (input::<R>(op, "q", q)?, input::<R>(op, "keys", keys)?);
        let (values, v) = (input::<R>(op, "values", values)?, optional::<R>(op, "v", v)?);
        check_shape(op, "q", q.shape(), &[("T", None), ("B", None), ("A", None)])?;
        let (most, batch, width) = (q.shape()[0], q.shape()[1], q.shape()[2]);
        check_shape(op, "keys", keys.shape(), &[("S", None), ("B", Some(batch)), ("A", Some(width))])?;
        let sources = keys.shape()[0];
        check_shape(op, "values", values.shape(), &[("S", Some(sources)), ("B", Some(batch)), ("K", None)])?;
        if let Some(v) = &v {
            check_shape(op, "v", v.shape(), &[("A", Some(width))])?;
        }
        let lengths = steps(op, "lengths", lengths, (most, batch))?;
        let source_lengths = steps(op, "source_lengths", source_lengths, (sources, batch))?;
        Ok(Open { q, keys, values, v, lengths, source_lengths })
    }

    fn pairs(&self) -> Pairs<'_> {
        let (steps, source_steps) = (self.q.shape()[0], self.keys.shape()[0]);
        Pairs { steps, source_steps, lengths: &self.lengths, source_lengths: &self.source_lengths }
    }

    fn asked(&self) -> PyResult<Asked<'_, R>> {
        let (width, value_width) = (self.q.shape()[2], self.values.shape()[2]);
        let (q, keys, values) = (slice(&self.q)?, slice(&self.keys)?, slice(&self.values)?);
        Ok(Asked { q, keys, values, width, value_width })
    }

    fn score(&self) -> PyResult<Score<'_, R>> {
        Ok(optional_slice(self.v.as_ref())?.map_or(Score::Product, Score::Additive))
    }
}

/// Returns (context (T, B, K), α (B, T, S)), given q (T, B, A), keys (S, B, A) and values (S, B, K); v (A)
/// selects additive scores.
#[pyfunction]
#[pyo3(signature = (q, keys, values, v, lengths, source_lengths))]
fn attention_forward<'py>(
    py: Python<'py>,
    q: &Any<'py>,
    keys: &Any<'py>,
    values: &Any<'py>,
    v: Option<&Any<'py>>,
    lengths: Option<&Any<'py>>,
    source_lengths: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>)> {
    const OP: &str = "Attention.forward";
    by_kind!(OP, "values", values, R => {
        let open = Open::<R>::new(OP, [q, keys, values], v, [lengths, source_lengths])?;
        let (pairs, asked, score) = (open.pairs(), open.asked()?, open.score()?);
        let (context, alpha) = py.detach(|| attention::forward(pairs, asked, score))?;
        let (steps, batch) = (pairs.steps, pairs.lengths.len());
        let context = output(py, &[steps, batch, asked.value_width], context)?;
        Ok((context, output(py, &[batch, steps, pairs.source_steps], alpha)?))
    })
}

/// Returns (dq, dkeys, dvalues), given dcontext (T, B, K) and dalpha (B, T, S) or None; adds to dv.
#[pyfunction]
#[pyo3(signature = (q, keys, values, v, lengths, source_lengths, alpha, dcontext, dalpha, dv))]
#[allow(clippy::too_many_arguments)]
fn attention_backward<'py>(
    py: Python<'py>,
    q: &Any<'py>,
    keys: &Any<'py>,
    values: &Any<'py>,
    v: Option<&Any<'py>>,
    lengths: Option<&Any<'py>>,
    source_lengths: Option<&Any<'py>>,
    alpha: &Any<'py>,
    dcontext: &Any<'py>,
    dalpha: Option<&Any<'py>>,
    dv: Option<&Any<'py>>,
) -> PyResult<(Any<'py>, Any<'py>, Any<'py>)> {
    const OP: &str = "Attention.backward";
    by_kind!(OP, "values", values, R => {
        let open = Open::<R>::new(OP, [q, keys, values], v, [lengths, source_lengths])?;
        let (pairs, asked, score) = (open.pairs(), open.asked()?, open.score()?);
        let (steps, batch, sources) = (pairs.steps, pairs.lengths.len(), pairs.source_steps);
        let (alpha, dcontext) = (input::<R>(OP, "alpha", alpha)?, input::<R>(OP, "dcontext", dcontext)?);
        let dalpha = optional::<R>(OP, "dalpha", dalpha)?;
        let shares = [("B", Some(batch)), ("T", Some(steps)), ("S", Some(sources))];
        check_shape(OP, "alpha", alpha.shape(), &shares)?;
        dalpha.iter().try_for_each(|d| check_shape(OP, "dalpha", d.shape(), &shares))?;
        let wide = asked.value_width;
        check_shape(OP, "dcontext", dcontext.shape(), &[("T", Some(steps)), ("B", Some(batch)), ("K", Some(wide))])?;
        let mut dv = dv.map(|dv| target::<R>(OP, "dv", dv)).transpose()?;
        let size = if open.v.is_some() { asked.width } else { 0 };
        let given = dv.as_ref().map_or(0, |dv| dv.len());
        check_shape(OP, "dv", &[given], &[("A", Some(size))])?;
        let dscore = match &mut dv {
            Some(dv) => dv.as_slice_mut()?,
            None => &mut [],
        };
        let said = (slice(&dcontext)?, optional_slice(dalpha.as_ref())?);
        let alpha = slice(&alpha)?;
        let back = py.detach(|| attention::backward(pairs, asked, (score, dscore), alpha, said))?;
        Ok((
            output(py, open.q.shape(), back.q)?,
            output(py, open.keys.shape(), back.keys)?,
            output(py, open.values.shape(), back.values)?,
        ))
    })
}

fn activation(op: &'static str, name: &str) -> PyResult<Activation> {
    let names: Vec<_> = Activation::ALL.iter().map(|a| a.name()).collect();
    Activation::from_name(name)
        .ok_or_else(|| value_error(op, "activation", &names.join(", "), &format!("\"{name}\"")))
}

/// Computes h ← f(a) in place.
#[pyfunction]
fn activate(py: Python<'_>, name: &str, a: &Any<'_>) -> PyResult<()> {
    const OP: &str = "activate";
    let f = activation(OP, name)?;
    by_kind!(OP, "a", a, R => {
        let mut a = target::<R>(OP, "a", a)?;
        let a = a.as_slice_mut()?;
        py.detach(|| activation::forward(f, a))?;
    });
    Ok(())
}

/// Computes da = dh ⊙ f′(a) in place of dh, given h = f(a).
#[pyfunction]
fn differentiate(py: Python<'_>, name: &str, h: &Any<'_>, dh: &Any<'_>) -> PyResult<()> {
    const OP: &str = "differentiate";
    let f = activation(OP, name)?;
    by_kind!(OP, "dh", dh, R => {
        let (h, mut dh) = (input::<R>(OP, "h", h)?, target::<R>(OP, "dh", dh)?);
        let expected: Vec<_> = h.shape().iter().map(|&n| ("n", Some(n))).collect();
        check_shape(OP, "dh", dh.shape(), &expected)?;
        let (h, dh) = (slice(&h)?, dh.as_slice_mut()?);
        py.detach(|| activation::backward(f, h, dh))?;
    });
    Ok(())
}
