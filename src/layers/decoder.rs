//! A decoder with attention that runs step by step, with its weights packed once; used for
//! translation, for example.
//!
//! At each step: x = E\[id\]; h from the recurrent layers; q = h, or projected; α = softmax of the scores of
//! the source's keys (`attention.rs`); context = Σ α_s v_s; ĥ = tanh(W \[h; context\]) if there is such a
//! layer; o = c + V ĥ. A gate is σ(w · \[h; context; x\]).
//!
//! The hypotheses form a batch; a beam search has several per source. At each step the caller names the
//! earlier hypothesis that each new one extends. The hypotheses are divided among the threads and do not
//! affect each other's results.

use std::ops::Range;

use super::attention::{additive, softmax};
use super::embedding::check_ids;
use super::linear::{Linear, least_rows};
use super::step::{Given, Part, States, Step, Weights};
use crate::error::{Error, Result};
use crate::kernels::{self, Activation, Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

const OP: &str = "Decoder";

/// The parameters of a decoder.
#[derive(Clone, Copy)]
pub struct Network<'a, R> {
    /// E (tokens, I)
    pub table: &'a [R],
    /// The recurrent layers, bottom to top; the last has size H.
    pub layers: &'a [Weights<'a, R>],
    /// K, the size of a context; 0 without attention
    pub context: usize,
    /// Projects h to the query (A, H); `None` if the query is h itself.
    pub query: Option<Linear<'a, R>>,
    /// v (A) of additive scores
    pub additive: Option<&'a [R]>,
    /// Applied to \[h; context\], followed by tanh.
    pub combination: Option<Linear<'a, R>>,
    /// Applied to \[h; context; x\], followed by σ; one output.
    pub gate: Option<Linear<'a, R>>,
    /// V and c
    pub output: Linear<'a, R>,
}

/// The encoded sources that the decoder attends to.
#[derive(Clone, Copy)]
pub struct Memory<'a, R> {
    /// k (S, B, A)
    pub keys: &'a [R],
    /// v (S, B, K)
    pub values: &'a [R],
    /// Number of steps of each of the B sources
    pub lengths: &'a [usize],
    /// S
    pub steps: usize,
}

/// The results of a step.
pub struct Scores<R> {
    /// o (N, O)
    pub o: Vec<R>,
    /// α (N, S), empty without attention.
    pub alpha: Vec<R>,
    /// (N), empty without a gate.
    pub gate: Vec<R>,
}

/// c + V x, with V packed.
struct Affine<R: Real> {
    v: Packed<R>,
    c: Vec<R>,
}

impl<R: Real> Affine<R> {
    fn of(layer: Linear<'_, R>) -> Result<Self> {
        let v = Packed::transposed(OP, layer.v, layer.outputs, layer.inputs)?;
        Ok(Affine { v, c: layer.c.to_vec() })
    }

    fn apply(&self, x: Rows<'_, R>, into: &mut [R]) {
        self.v.multiply(x, Start::Row(&self.c), RowsMut { data: into, stride: self.c.len() });
    }
}

/// The keys and values of one source.
struct Source<R: Real> {
    /// (A, S_b) packed, or the rows (S_b, A) for additive scores
    keys: Keys<R>,
    /// (S_b, K)
    values: Packed<R>,
    steps: usize,
}

enum Keys<R: Real> {
    Product(Packed<R>),
    Additive(Vec<R>),
}

/// A decoder with its weights packed, and the current hypotheses.
pub struct Decoder<R: Real> {
    table: Vec<R>,
    inputs: usize,
    layers: Vec<Step<R>>,
    context: usize,
    query: Option<Affine<R>>,
    additive: Option<Vec<R>>,
    combination: Option<Affine<R>>,
    gate: Option<Affine<R>>,
    output: Affine<R>,
    /// Total number of weights, as a measure of the cost of a hypothesis.
    cost: usize,
    states: Vec<States<R>>,
    sources: Vec<Source<R>>,
    /// S
    source_steps: usize,
    /// The source of each hypothesis.
    source_of: Vec<usize>,
}

/// Some hypotheses, and the places for their results.
struct Shard<'a, R> {
    rows: Range<usize>,
    layers: Vec<Part<'a, R>>,
    /// \[h; context; x\] (rows, H + K + I)
    joined: &'a mut [R],
    o: &'a mut [R],
    alpha: &'a mut [R],
    gate: &'a mut [R],
}

impl<R: Real> Decoder<R> {
    /// Packs the weights. There are no hypotheses before [`Decoder::begin`].
    ///
    /// # Errors
    /// [`Error::Memory`] if the copies do not fit.
    ///
    /// # Panics
    /// If the sizes are inconsistent (the Python module checks shapes first), or if there are no layers.
    pub fn new(network: Network<'_, R>) -> Result<Self> {
        let affine = |layer: Option<Linear<'_, R>>| layer.map(Affine::of).transpose();
        let mut table = parallel::zeros(OP, &[network.table.len()])?;
        table.copy_from_slice(network.table);
        let recurrent = network.layers.iter().map(|layer| layer.u.len() + layer.recurrent.w.len());
        let linear = [network.query, network.combination, Some(network.output)];
        Ok(Decoder {
            table,
            inputs: network.layers[0].inputs,
            layers: network.layers.iter().map(|layer| Step::new(OP, *layer)).collect::<Result<_>>()?,
            context: network.context,
            query: affine(network.query)?,
            additive: network.additive.map(<[R]>::to_vec),
            combination: affine(network.combination)?,
            gate: affine(network.gate)?,
            output: Affine::of(network.output)?,
            cost: recurrent.chain(linear.iter().flatten().map(|layer| layer.v.len())).sum(),
            states: Vec::new(),
            sources: Vec::new(),
            source_steps: 0,
            source_of: Vec::new(),
        })
    }

    /// Returns O.
    pub fn outputs(&self) -> usize {
        self.output.c.len()
    }

    /// Returns H of the last layer.
    pub fn hidden(&self) -> usize {
        self.layers.last().map_or(0, Step::hidden)
    }

    /// Returns K.
    pub fn context(&self) -> usize {
        self.context
    }

    /// Returns A, the size of a query and of a key.
    pub fn query_size(&self) -> usize {
        self.query.as_ref().map_or(self.hidden(), |query| query.c.len())
    }

    /// Returns the size of a hypothesis's state: each layer's h, and its c if it has one.
    pub fn state_size(&self) -> usize {
        self.layers.iter().map(Step::state_size).sum()
    }

    /// Returns the number of hypotheses.
    pub fn count(&self) -> usize {
        self.source_of.len()
    }

    /// Returns S.
    pub fn source_steps(&self) -> usize {
        self.source_steps
    }

    /// Starts one hypothesis per source, from the states (B, [`Decoder::state_size`]).
    ///
    /// # Errors
    /// [`Error::Memory`].
    ///
    /// # Panics
    /// If the sizes are inconsistent.
    pub fn begin(&mut self, state: &[R], count: usize, memory: Option<Memory<'_, R>>) -> Result<()> {
        assert_eq!(state.len(), count * self.state_size(), "the state has the wrong size");
        let mut states =
            self.layers.iter().map(|layer| layer.states(OP, count)).collect::<Result<Vec<_>>>()?;
        let mut rest = state;
        for i in 0..count {
            for part in states.iter_mut().flat_map(|states| states.of_sequence(i)) {
                let (own, after) = rest.split_at(part.len());
                part.copy_from_slice(own);
                rest = after;
            }
        }
        let sources = match memory {
            Some(memory) => (0..count).map(|b| self.source(memory, b)).collect::<Result<_>>()?,
            None => Vec::new(),
        };
        self.source_steps = memory.map_or(0, |memory| memory.steps);
        (self.states, self.sources, self.source_of) = (states, sources, (0..count).collect());
        Ok(())
    }

    fn source(&self, memory: Memory<'_, R>, b: usize) -> Result<Source<R>> {
        let (batch, steps, width) = (memory.lengths.len(), memory.lengths[b], self.query_size());
        let keys = memory.keys.get(b * width..).unwrap_or_default();
        let values = memory.values.get(b * self.context..).unwrap_or_default();
        let keys = match self.additive {
            None => Keys::Product(Packed::new(OP, keys, (width, 1), (steps, batch * width))?),
            Some(_) => Keys::Additive(
                (0..steps).flat_map(|s| &keys[s * batch * width..][..width]).copied().collect(),
            ),
        };
        let across = (steps, batch * self.context);
        Ok(Source { keys, values: Packed::new(OP, values, across, (self.context, 1))?, steps })
    }

    /// Extends the earlier hypotheses `rows` by one token each; returns the scores of the next token.
    ///
    /// # Errors
    /// [`Error::TokenId`], or [`Error::Value`] for a row that is not an earlier hypothesis, both of which
    /// leave the decoder unchanged; [`Error::Memory`]; [`Error::Interrupted`].
    ///
    /// # Panics
    /// If `ids` and `rows` differ in length.
    pub fn step(&mut self, ids: &[i64], rows: &[i64]) -> Result<Scores<R>> {
        assert_eq!(ids.len(), rows.len(), "ids and rows differ in length");
        check_ids("Decoder.step", "ids", ids, self.table.len() / self.inputs.max(1))?;
        let rows = self.earlier(rows)?;
        let (count, hidden) = (rows.len(), self.hidden());
        let states = self.layers.iter().zip(&self.states);
        let mut states: Vec<_> =
            states.map(|(layer, states)| states.gather(layer, OP, &rows)).collect::<Result<_>>()?;
        let source_of: Vec<usize> = rows.iter().map(|&row| self.source_of[row]).collect();
        let width = hidden + self.context + self.inputs;
        let mut joined = parallel::zeros(OP, &[count, width])?;
        let sources = if self.context > 0 { self.source_steps } else { 0 };
        let mut scores = Scores {
            o: parallel::scratch(OP, &[count, self.outputs()])?,
            alpha: parallel::zeros(OP, &[count, sources])?,
            gate: parallel::zeros(OP, &[if self.gate.is_some() { count } else { 0 }])?,
        };
        let ranges = parallel::ranges(count, least_rows(2 * self.cost))?;
        let mut layers: Vec<_> = states.iter_mut().map(|states| states.parts(&ranges).into_iter()).collect();
        let gates = usize::from(self.gate.is_some());
        let shards = parallel::split_rows(&mut joined, &ranges, width)
            .into_iter()
            .zip(parallel::split_rows(&mut scores.o, &ranges, self.output.c.len()))
            .zip(parallel::split_rows(&mut scores.alpha, &ranges, sources))
            .zip(parallel::split_rows(&mut scores.gate, &ranges, gates))
            .zip(&ranges)
            .map(|((((joined, o), alpha), gate), rows)| {
                let layers = layers.iter_mut().filter_map(Iterator::next).collect();
                Shard { rows: rows.clone(), layers, joined, o, alpha, gate }
            })
            .collect();
        parallel::for_each(shards, |shard, _| {
            self.run(shard, ids, &source_of);
            Ok(())
        })?;
        states.iter_mut().for_each(States::advance);
        (self.states, self.source_of) = (states, source_of);
        Ok(scores)
    }

    fn earlier(&self, rows: &[i64]) -> Result<Vec<usize>> {
        let row = |&row: &i64| usize::try_from(row).ok().filter(|&row| row < self.count());
        rows.iter()
            .map(|given| {
                row(given).ok_or_else(|| Error::Value {
                    op: "Decoder.step",
                    argument: "rows",
                    expected: format!("a row of the {} earlier hypotheses", self.count()),
                    got: given.to_string(),
                })
            })
            .collect()
    }

    /// Computes the step of some hypotheses.
    fn run(&self, shard: Shard<'_, R>, ids: &[i64], source_of: &[usize]) {
        let Shard { rows, layers, joined, o, alpha, gate } = shard;
        let (count, hidden, inputs) = (rows.len(), self.hidden(), self.inputs);
        let (before, stride) = (hidden + self.context, hidden + self.context + inputs);
        for (joined, &id) in joined.chunks_exact_mut(stride).zip(&ids[rows.clone()]) {
            joined[before..].copy_from_slice(&self.table[id as usize * inputs..][..inputs]);
        }
        let mut below: Option<(&[R], usize)> = None;
        for (layer, part) in self.layers.iter().zip(layers) {
            let x = match below {
                None => Rows { data: &joined[before..], stride, count },
                Some((h, stride)) => Rows { data: h, stride, count },
            };
            below = Some((layer.run(Given::Inputs(x), part), layer.hidden()));
        }
        let Some((h, _)) = below else { return };
        for (joined, h) in joined.chunks_exact_mut(stride).zip(h.chunks_exact(hidden)) {
            joined[..hidden].copy_from_slice(h);
        }
        if self.context > 0 {
            self.attend(h, &source_of[rows], alpha, (&mut joined[hidden..], stride));
        }
        let all = Rows { data: &*joined, stride, count };
        if let Some(layer) = &self.gate {
            layer.apply(all, gate);
            kernels::activate(Activation::Sigmoid, gate);
        }
        let Some(layer) = &self.combination else { return self.output.apply(all, o) };
        let mut combined = vec![R::zero(); count * layer.c.len()];
        layer.apply(all, &mut combined);
        kernels::activate(Activation::Tanh, &mut combined);
        self.output.apply(Rows { data: &combined, stride: layer.c.len(), count }, o);
    }

    /// Computes α and the contexts of some hypotheses from their h; consecutive hypotheses of one source
    /// are one product.
    fn attend(&self, h: &[R], source_of: &[usize], alpha: &mut [R], (contexts, stride): (&mut [R], usize)) {
        let (width, most) = (self.query_size(), self.source_steps);
        let mut projected = Vec::new();
        let q = match &self.query {
            None => h,
            Some(query) => {
                projected.resize(source_of.len() * width, R::zero());
                let hidden = self.hidden();
                query.apply(Rows { data: h, stride: hidden, count: source_of.len() }, &mut projected);
                &projected
            }
        };
        let (mut first, mut room) = (0, Vec::new());
        for same in source_of.chunk_by(|a, b| a == b) {
            let (source, count) = (&self.sources[same[0]], same.len());
            let rows = first..first + count;
            first += count;
            if source.steps == 0 {
                continue;
            }
            let e = &mut alpha[rows.start * most..rows.end * most];
            let q = &q[rows.start * width..rows.end * width];
            match (&source.keys, &self.additive) {
                (Keys::Additive(keys), Some(v)) => {
                    for (q, e) in q.chunks_exact(width).zip(e.chunks_exact_mut(most)) {
                        additive(v, q, keys.chunks_exact(width), &mut room, e);
                    }
                }
                (Keys::Product(keys), _) => {
                    let into = RowsMut { data: &mut *e, stride: most };
                    keys.multiply(Rows { data: q, stride: width, count }, Start::Zero, into);
                }
                (Keys::Additive(_), None) => unreachable!("additive keys require v"),
            }
            e.chunks_exact_mut(most).for_each(|e| softmax(&mut e[..source.steps]));
            let into = RowsMut { data: &mut contexts[rows.start * stride..], stride };
            source.values.multiply(Rows { data: e, stride: most, count }, Start::Zero, into);
        }
    }
}
