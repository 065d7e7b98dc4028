//! A decoder with attention: one call steps all hypotheses.

use numpy::{PyReadonlyArrayDyn, PyUntypedArrayMethods};
use pyo3::prelude::*;

use super::array::{Kind, Number, ids, input, kind, optional, optional_slice, output, slice};
use super::attention::steps;
use super::error::value_error;
use super::layers::linear_layer;
use super::stepper::{GivenLayer, open, stacked};
use crate::error::check_shape;
use crate::layers::decoder::{Decoder, Memory, Network, Scores};
use crate::layers::linear::Linear;

const OP: &str = "Decoder";

type Any<'py> = Bound<'py, PyAny>;

/// V and c of a linear layer.
type Affine<'py> = (Any<'py>, Any<'py>);

/// o, and α and the gate if the decoder has them.
type Given<'py> = (Any<'py>, Option<Any<'py>>, Option<Any<'py>>);

/// Embedding, recurrent layers, attention and output layer with their weights packed once, for stepping a
/// batch of hypotheses.
#[pyclass(name = "Decoder", module = "rnnrs._rnnrs")]
pub(super) struct PyDecoder {
    inner: Inner,
}

enum Inner {
    F32(Decoder<f32>),
    F64(Decoder<f64>),
}

/// Evaluates an expression on the inner decoder.
macro_rules! inner {
    ($self:expr, $decoder:ident => $body:expr) => {
        match $self {
            Inner::F32($decoder) => $body,
            Inner::F64($decoder) => $body,
        }
    };
}

/// The arrays of an optional linear layer.
struct Opened<'py, R: Number>(Option<(PyReadonlyArrayDyn<'py, R>, PyReadonlyArrayDyn<'py, R>)>);

impl<'py, R: Number> Opened<'py, R> {
    fn new(layer: Option<&Affine<'py>>) -> PyResult<Self> {
        let open = |(v, c): &Affine<'py>| Ok::<_, PyErr>((input::<R>(OP, "V", v)?, input::<R>(OP, "c", c)?));
        Ok(Opened(layer.map(open).transpose()?))
    }

    /// Returns the layer, checked for `inputs` inputs and, if given, `outputs` outputs.
    fn layer(
        &self,
        name: &'static str,
        inputs: usize,
        outputs: Option<usize>,
    ) -> PyResult<Option<Linear<'_, R>>> {
        let Some((v, c)) = &self.0 else { return Ok(None) };
        check_shape(OP, name, v.shape(), &[("O", outputs), ("inputs", Some(inputs))])?;
        Ok(Some(linear_layer(OP, v, c)?))
    }
}

/// The parts of a decoder, as received from Python.
struct Parts<'a, 'py> {
    e: &'a Any<'py>,
    layers: &'a [GivenLayer<'py>],
    context: usize,
    query: Option<&'a Affine<'py>>,
    additive: Option<&'a Any<'py>>,
    combination: Option<&'a Affine<'py>>,
    gate: Option<&'a Affine<'py>>,
    output: Affine<'py>,
}

fn build<R: Number>(parts: &Parts<'_, '_>) -> PyResult<Decoder<R>> {
    let e = input::<R>(OP, "E", parts.e)?;
    check_shape(OP, "E", e.shape(), &[("V", None), ("I", None)])?;
    let layers = parts.layers.iter().map(|layer| open::<R>(OP, layer)).collect::<PyResult<Vec<_>>>()?;
    let (layers, hidden) = stacked(OP, &layers, e.shape()[1], 1)?;
    let [query, combination] = [parts.query, parts.combination].map(Opened::<R>::new);
    let [gate, output] = [parts.gate, Some(&parts.output)].map(Opened::<R>::new);
    let (query, combination, gate, output) = (query?, combination?, gate?, output?);
    let additive = optional::<R>(OP, "additive", parts.additive)?;
    let joined = hidden + parts.context;
    let query = query.layer("query", hidden, None)?;
    if let Some(v) = &additive {
        let width = query.map_or(hidden, |query| query.outputs);
        check_shape(OP, "additive", v.shape(), &[("A", Some(width))])?;
    }
    let combination = combination.layer("combination", joined, None)?;
    let gate = gate.layer("gate", joined + e.shape()[1], Some(1))?;
    let before = combination.map_or(hidden, |layer| layer.outputs);
    let Some(output) = output.layer("V", before, None)? else {
        return Err(value_error(OP, "V", "an output layer", "none"));
    };
    let additive = optional_slice(additive.as_ref())?;
    let (table, context, layers) = (slice(&e)?, parts.context, &layers[..]);
    let network = Network { table, layers, context, query, additive, combination, gate, output };
    Ok(e.py().detach(|| Decoder::new(network))?)
}

fn begin<R: Number>(
    decoder: &mut Decoder<R>,
    state: &Any<'_>,
    [keys, values, lengths]: [Option<&Any<'_>>; 3],
) -> PyResult<()> {
    let state = input::<R>(OP, "state", state)?;
    check_shape(OP, "state", state.shape(), &[("B", None), ("S", Some(decoder.state_size()))])?;
    let count = state.shape()[0];
    let (keys, values) = (optional::<R>(OP, "keys", keys)?, optional::<R>(OP, "values", values)?);
    let (Some(keys), Some(values)) = (&keys, &values) else {
        if decoder.context() > 0 {
            return Err(value_error(OP, "keys", "keys and values to attend to", "none"));
        }
        return Ok(decoder.begin(slice(&state)?, count, None)?);
    };
    let most = keys.shape().first().copied().unwrap_or(0);
    let of = |last| [("S", Some(most)), ("B", Some(count)), ("numbers", Some(last))];
    check_shape(OP, "keys", keys.shape(), &of(decoder.query_size()))?;
    check_shape(OP, "values", values.shape(), &of(decoder.context()))?;
    let lengths = steps(OP, "lengths", lengths, (most, count))?;
    let memory = Memory { keys: slice(keys)?, values: slice(values)?, lengths: &lengths, steps: most };
    Ok(decoder.begin(slice(&state)?, count, Some(memory))?)
}

fn step<'py, R: Number>(
    py: Python<'py>,
    decoder: &mut Decoder<R>,
    ids: &Any<'py>,
    rows: &Any<'py>,
) -> PyResult<Given<'py>> {
    let (ids, rows) = (self::ids(OP, "ids", ids)?, self::ids(OP, "rows", rows)?);
    check_shape(OP, "ids", ids.shape(), &[("N", None)])?;
    check_shape(OP, "rows", rows.shape(), &[("N", Some(ids.len()))])?;
    let (ids, rows) = (slice(&ids)?, slice(&rows)?);
    let Scores { o, alpha, gate } = py.detach(|| decoder.step(ids, rows))?;
    let count = ids.len();
    let alpha = match decoder.context() {
        0 => None,
        _ => Some(output(py, &[count, decoder.source_steps()], alpha)?),
    };
    let gate = if gate.is_empty() { None } else { Some(output(py, &[count], gate)?) };
    Ok((output(py, &[count, decoder.outputs()], o)?, alpha, gate))
}

#[pymethods]
impl PyDecoder {
    #[new]
    #[pyo3(signature = (E, layers, V, c, context=0, query=None, additive=None, combination=None, gate=None))]
    #[allow(non_snake_case, clippy::too_many_arguments)]
    fn new<'py>(
        E: &Any<'py>,
        layers: Vec<GivenLayer<'py>>,
        V: Any<'py>,
        c: Any<'py>,
        context: usize,
        query: Option<Affine<'py>>,
        additive: Option<Any<'py>>,
        combination: Option<Affine<'py>>,
        gate: Option<Affine<'py>>,
    ) -> PyResult<Self> {
        let parts = Parts {
            e: E,
            layers: &layers,
            context,
            query: query.as_ref(),
            additive: additive.as_ref(),
            combination: combination.as_ref(),
            gate: gate.as_ref(),
            output: (V, c),
        };
        let inner = match kind(OP, "E", E)? {
            Kind::F32 => Inner::F32(build(&parts)?),
            Kind::F64 => Inner::F64(build(&parts)?),
        };
        Ok(PyDecoder { inner })
    }

    /// Number of hypotheses.
    #[getter]
    fn count(&self) -> usize {
        inner!(&self.inner, d => d.count())
    }

    /// Starts one hypothesis per source, from the initial states (B, S).
    #[pyo3(signature = (state, keys=None, values=None, lengths=None))]
    fn begin(
        &mut self,
        state: &Any<'_>,
        keys: Option<&Any<'_>>,
        values: Option<&Any<'_>>,
        lengths: Option<&Any<'_>>,
    ) -> PyResult<()> {
        inner!(&mut self.inner, d => begin(d, state, [keys, values, lengths]))
    }

    /// Extends hypothesis `rows[i]` by the token `ids[i]`. Returns the scores of the next token (N, V), and
    /// the attention (N, S) and the gate (N,), or None for those that the decoder lacks.
    fn step<'py>(&mut self, py: Python<'py>, ids: &Any<'py>, rows: &Any<'py>) -> PyResult<Given<'py>> {
        inner!(&mut self.inner, d => step(py, d, ids, rows))
    }
}
