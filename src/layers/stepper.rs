//! One token at a time: the network of a language model with its weights packed once.
//!
//! For generation and suggestions: x = E\[id\]; the cell's step from a = b + U x + W h; o = c + V h. The state stays here.

use std::ops::Range;

use super::embedding::check_ids;
use super::step::{Given, States, Step};
use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

pub use super::step::Weights;

/// Numbers of V worth a thread: to read them takes longer than to wake it.
const GRAIN: usize = 1 << 18;

/// Tokens up to which b + U E is computed for all of them beforehand: to read U at a step takes about as long as four rows of a
/// product with it.
const FEW_TOKENS: usize = 512;

/// Embedding, recurrent layers and output layer, ready to step `batch` sequences side by side.
pub struct Stepper<R: Real> {
    batch: usize,
    /// A row for each token: E, or b + U E of the first layer.
    table: Vec<R>,
    projected: bool,
    /// The rows of a step's tokens.
    rows: Vec<R>,
    layers: Vec<Layer<R>>,
    /// The output layer, divided among the threads where it is large.
    outputs: Vec<Part<R>>,
    /// Whether V is read from its end next time: to and fro, so that what the caches hold of it is met first.
    back: bool,
    c: Vec<R>,
    o: Vec<R>,
}

/// One recurrent layer, and its state.
struct Layer<R: Real> {
    step: Step<R>,
    states: States<R>,
}

impl<R: Real> Layer<R> {
    fn new(op: &'static str, weights: Weights<'_, R>, batch: usize) -> Result<Self> {
        let step = Step::new(op, weights)?;
        let states = step.states(op, batch)?;
        Ok(Layer { step, states })
    }

    /// Moves the state on by one step.
    fn advance(&mut self, given: Given<'_, R>, batch: usize) {
        let all = 0..batch;
        for part in self.states.parts(std::slice::from_ref(&all)) {
            self.step.run(given, part);
        }
        self.states.advance();
    }

    fn output(&self) -> Rows<'_, R> {
        let (h, hidden) = (self.states.h(), self.step.hidden());
        Rows { data: h, stride: hidden, count: h.len() / hidden.max(1) }
    }
}

/// Some of the output units.
struct Part<R: Real> {
    units: Range<usize>,
    v: Packed<R>,
    /// (batch, units)
    o: Vec<R>,
}

impl<R: Real> Stepper<R> {
    /// Packs the weights; the state is zero. `table` is E (tokens, I), `v` and `c` the output layer's.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the copies do not fit.
    ///
    /// # Panics
    /// If the lengths of the slices do not belong together (the Python module checks shapes first), or without a layer.
    pub fn new(table: &[R], layers: &[Weights<'_, R>], (v, c): (&[R], &[R]), batch: usize) -> Result<Self> {
        const OP: &str = "Stepper";
        let (inputs, hidden) = (layers[0].inputs, layers[layers.len() - 1].recurrent.hidden);
        let ranges = parallel::ranges(c.len(), GRAIN / hidden.max(1))?;
        let mut parts: Vec<Option<Part<R>>> = ranges.iter().map(|_| None).collect();
        parallel::for_each(parts.iter_mut().zip(ranges).collect(), |(part, units), _| {
            let v = Packed::transposed(OP, &v[units.start * hidden..], units.len(), hidden)?;
            let o = parallel::scratch(OP, &[batch, units.len()])?;
            *part = Some(Part { units, v, o });
            Ok(())
        })?;
        let copy = |from: &[R]| -> Result<Vec<R>> {
            let mut to = parallel::zeros(OP, &[from.len()])?;
            to.copy_from_slice(from);
            Ok(to)
        };
        let layers: Vec<_> =
            layers.iter().map(|layer| Layer::new(OP, *layer, batch)).collect::<Result<_>>()?;
        let tokens = table.len() / inputs.max(1);
        let projected = tokens <= FEW_TOKENS;
        let table = if projected { layers[0].step.project(OP, table, inputs)? } else { copy(table)? };
        let rows = parallel::zeros(OP, &[batch, table.len() / tokens.max(1)])?;
        Ok(Stepper {
            batch,
            table,
            projected,
            rows,
            layers,
            outputs: parts.into_iter().flatten().collect(),
            back: false,
            c: copy(c)?,
            o: parallel::zeros(OP, &[batch, c.len()])?,
        })
    }

    /// Sequences side by side.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// H of the last layer.
    pub fn hidden(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.step.hidden())
    }

    /// O
    pub fn outputs(&self) -> usize {
        self.c.len()
    }

    /// Numbers in a sequence's state: each layer's h, and its c where it has one.
    pub fn state_size(&self) -> usize {
        self.layers.iter().map(|layer| layer.step.state_size()).sum()
    }

    /// The state (batch, state_size): layer after layer, h, then c.
    pub fn state(&self) -> Vec<R> {
        let mut state = Vec::with_capacity(self.batch * self.state_size());
        for i in 0..self.batch {
            for layer in &self.layers {
                let hidden = layer.step.hidden();
                for part in [layer.states.h(), layer.states.c()].into_iter().filter(|part| !part.is_empty()) {
                    state.extend_from_slice(&part[i * hidden..(i + 1) * hidden]);
                }
            }
        }
        state
    }

    /// Sets the state.
    ///
    /// # Panics
    /// If it has another size.
    pub fn set_state(&mut self, state: &[R]) {
        assert_eq!(state.len(), self.batch * self.state_size(), "a state of another size");
        let mut rest = state;
        for i in 0..self.batch {
            for part in self.layers.iter_mut().flat_map(|layer| layer.states.of_sequence(i)) {
                let (own, after) = rest.split_at(part.len());
                part.copy_from_slice(own);
                rest = after;
            }
        }
    }

    /// Sets the state to zero.
    pub fn reset(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.states.reset());
    }

    /// Reads one token for each sequence: the state moves on, no output is computed.
    ///
    /// # Errors
    /// [`crate::Error::TokenId`]: then nothing has moved.
    ///
    /// # Panics
    /// If there are not `batch` ids.
    pub fn advance(&mut self, ids: &[i64]) -> Result<()> {
        assert_eq!(ids.len(), self.batch, "one id for each sequence");
        let (count, width) = (self.batch, self.rows.len() / self.batch.max(1));
        check_ids("Stepper.step", "ids", ids, self.table.len() / width.max(1))?;
        for (row, &id) in self.rows.chunks_exact_mut(width.max(1)).zip(ids) {
            row.copy_from_slice(&self.table[id as usize * width..][..width]);
        }
        let mut given = if self.projected {
            Given::Sums(&self.rows)
        } else {
            Given::Inputs(Rows { data: &self.rows[..], stride: width, count })
        };
        for layer in &mut self.layers {
            layer.advance(given, count);
            given = Given::Inputs(layer.output());
        }
        Ok(())
    }

    /// o (batch, O) = c + V h of the state as it is.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub fn output(&mut self) -> Result<&[R]> {
        let outputs = self.c.len();
        let Some(last) = self.layers.last() else { return Ok(&self.o) };
        let (h, c, back) = (last.output(), &self.c, self.back);
        self.back = !back;
        if let [all] = &mut self.outputs[..] {
            let into = RowsMut { data: &mut self.o, stride: outputs };
            all.v.multiply_in_turn(h, Start::Row(c), into, back);
            return Ok(&self.o);
        }
        parallel::for_each(self.outputs.iter_mut().collect(), |part, _| {
            let stride = part.units.len();
            let into = RowsMut { data: &mut part.o, stride };
            part.v.multiply_in_turn(h, Start::Row(&c[part.units.clone()]), into, back);
            Ok(())
        })?;
        for part in &self.outputs {
            for (o, own) in self.o.chunks_exact_mut(outputs).zip(part.o.chunks_exact(part.units.len())) {
                o[part.units.clone()].copy_from_slice(own);
            }
        }
        Ok(&self.o)
    }
}
