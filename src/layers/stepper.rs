//! A language model that processes one token at a time, with its weights packed once.
//!
//! For generation and suggestions: x = E\[id\]; the cell's step from a = b + U x + W h; o = c + V h. The
//! stepper keeps the state. Setting a state of another number of sequences changes their number: sequences
//! join and leave between steps, and the weights stay packed.

use std::ops::Range;

use super::embedding::check_ids;
use super::linear::least_rows;
use super::step::{Given, States, Step, of_rows};
use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

pub use super::step::Weights;

const OP: &str = "Stepper";

/// Minimum number of V's elements per thread: reading them takes longer than waking the thread.
const GRAIN: usize = 1 << 18;

/// Maximum number of tokens for which b + U E is precomputed for all of them: reading U at a step takes about
/// as long as four rows of a product with it.
const FEW_TOKENS: usize = 512;

/// Embedding, recurrent layers and output layer, ready to step a batch of `batch` sequences.
pub struct Stepper<R: Real> {
    batch: usize,
    /// The sequences of each thread
    ranges: Vec<Range<usize>>,
    /// A row per token: E, or b + U E of the first layer
    table: Vec<R>,
    projected: bool,
    /// The length of such a row
    width: usize,
    /// The rows of the current step's tokens
    rows: Vec<R>,
    layers: Vec<Layer<R>>,
    /// The output layer, divided among the threads if it is large
    outputs: Vec<Part<R>>,
    /// Whether V is read from its end at the next step. The direction alternates, so that each step starts
    /// with the part of V that is still cached.
    back: bool,
    c: Vec<R>,
    o: Vec<R>,
}

/// A recurrent layer and its state.
struct Layer<R: Real> {
    step: Step<R>,
    states: States<R>,
}

impl<R: Real> Layer<R> {
    fn new(op: &'static str, weights: Weights<'_, R>) -> Result<Self> {
        let step = Step::new(op, weights)?;
        let states = step.states(op, 0)?;
        Ok(Layer { step, states })
    }

    /// Advances the state by one step. The ranges are the sequences of each thread.
    fn advance(&mut self, given: Given<'_, R>, ranges: &[Range<usize>]) -> Result<()> {
        let (step, count) = (&self.step, ranges.last().map_or(0, |last| last.end));
        let parts = self.states.parts(ranges);
        if ranges.len() < 2 {
            for part in parts {
                step.run(given, part);
            }
        } else {
            parallel::for_each(parts.into_iter().zip(ranges).collect(), |(part, rows), _| {
                step.run(given.of(rows, count), part);
                Ok(())
            })?;
        }
        self.states.advance();
        Ok(())
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
    /// (batch, units), or empty if there are no other parts
    o: Vec<R>,
}

impl<R: Real> Stepper<R> {
    /// Packs the weights and sets the state to zero. `table` is E (tokens, I); `v` and `c` are
    /// the output layer's.
    ///
    /// # Errors
    /// [`crate::Error::Memory`] if the copies do not fit.
    ///
    /// # Panics
    /// If the lengths of the slices are inconsistent (the Python module checks shapes first), or if
    /// there are no layers.
    pub fn new(table: &[R], layers: &[Weights<'_, R>], (v, c): (&[R], &[R]), batch: usize) -> Result<Self> {
        let (inputs, hidden) = (layers[0].inputs, layers[layers.len() - 1].recurrent.hidden);
        let ranges = parallel::ranges(c.len(), GRAIN / hidden.max(1))?;
        let mut parts: Vec<Option<Part<R>>> = ranges.iter().map(|_| None).collect();
        parallel::for_each(parts.iter_mut().zip(ranges).collect(), |(part, units), _| {
            let v = Packed::transposed(OP, &v[units.start * hidden..], units.len(), hidden)?;
            *part = Some(Part { units, v, o: Vec::new() });
            Ok(())
        })?;
        let copy = |from: &[R]| -> Result<Vec<R>> {
            let mut to = parallel::zeros(OP, &[from.len()])?;
            to.copy_from_slice(from);
            Ok(to)
        };
        let layers: Vec<_> = layers.iter().map(|layer| Layer::new(OP, *layer)).collect::<Result<_>>()?;
        let tokens = table.len() / inputs.max(1);
        let projected = tokens <= FEW_TOKENS;
        let table = if projected { layers[0].step.project(OP, table, inputs)? } else { copy(table)? };
        let mut stepper = Stepper {
            batch: 0,
            ranges: Vec::new(),
            width: table.len() / tokens.max(1),
            table,
            projected,
            rows: Vec::new(),
            layers,
            outputs: parts.into_iter().flatten().collect(),
            back: false,
            c: copy(c)?,
            o: Vec::new(),
        };
        stepper.resize(batch)?;
        Ok(stepper)
    }

    /// Makes room for `batch` sequences, and sets their state to zero.
    fn resize(&mut self, batch: usize) -> Result<()> {
        let outputs = self.outputs();
        let operations: usize = self.layers.iter().map(|layer| layer.step.operations()).sum();
        let ranges = parallel::ranges(batch, least_rows(operations + 2 * outputs * self.hidden()))?;
        let rows = parallel::zeros(OP, &[batch, self.width])?;
        let states =
            self.layers.iter().map(|layer| layer.step.states(OP, batch)).collect::<Result<Vec<_>>>()?;
        let divided = self.outputs.len() > 1;
        let own =
            |part: &Part<R>| parallel::scratch(OP, &[if divided { batch } else { 0 }, part.units.len()]);
        let parts = self.outputs.iter().map(own).collect::<Result<Vec<_>>>()?;
        let o = parallel::zeros(OP, &[batch, outputs])?;
        (self.batch, self.ranges, self.rows, self.o) = (batch, ranges, rows, o);
        self.layers.iter_mut().zip(states).for_each(|(layer, states)| layer.states = states);
        self.outputs.iter_mut().zip(parts).for_each(|(part, o)| part.o = o);
        Ok(())
    }

    /// Returns whether a step is divided among threads.
    pub fn is_divided(&self) -> bool {
        self.ranges.len() > 1 || self.outputs.len() > 1
    }

    /// Returns the number of sequences.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns H of the last layer.
    pub fn hidden(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.step.hidden())
    }

    /// Returns O.
    pub fn outputs(&self) -> usize {
        self.c.len()
    }

    /// Returns the size of a sequence's state: each layer's h, and its c if it has one.
    pub fn state_size(&self) -> usize {
        self.layers.iter().map(|layer| layer.step.state_size()).sum()
    }

    /// Returns the state (batch, state_size): layer by layer, h, then c.
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

    /// Sets the state (batch, state_size), whose number of sequences becomes that of the stepper.
    ///
    /// # Errors
    /// [`crate::Error::Memory`], which leaves the stepper unchanged.
    ///
    /// # Panics
    /// If it has the wrong size.
    pub fn set_state(&mut self, state: &[R]) -> Result<()> {
        let batch = state.len() / self.state_size().max(1);
        assert_eq!(state.len(), batch * self.state_size(), "the state has the wrong size");
        if batch != self.batch {
            self.resize(batch)?;
        }
        let mut rest = state;
        for i in 0..self.batch {
            for part in self.layers.iter_mut().flat_map(|layer| layer.states.of_sequence(i)) {
                let (own, after) = rest.split_at(part.len());
                part.copy_from_slice(own);
                rest = after;
            }
        }
        Ok(())
    }

    /// Sets the state to zero.
    pub fn reset(&mut self) {
        self.layers.iter_mut().for_each(|layer| layer.states.reset());
    }

    /// Reads one token per sequence: advances the state without computing an output.
    ///
    /// # Errors
    /// [`crate::Error::TokenId`], which leaves the state unchanged.
    ///
    /// # Panics
    /// If the number of ids is not `batch`.
    pub fn advance(&mut self, ids: &[i64]) -> Result<()> {
        assert_eq!(ids.len(), self.batch, "expected one id per sequence");
        let (count, width) = (self.batch, self.width);
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
            layer.advance(given, &self.ranges)?;
            given = Given::Inputs(layer.output());
        }
        Ok(())
    }

    /// Computes o (batch, O) = c + V h of the current state.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub fn output(&mut self) -> Result<&[R]> {
        let outputs = self.c.len();
        let Some(last) = self.layers.last() else { return Ok(&self.o) };
        let (h, c, back) = (last.output(), &self.c, self.back);
        self.back = !back;
        if let [all] = &self.outputs[..] {
            if self.ranges.len() < 2 {
                let into = RowsMut { data: &mut self.o, stride: outputs };
                all.v.multiply_in_turn(h, Start::Row(c), into, back);
                return Ok(&self.o);
            }
            let rows = parallel::split_rows(&mut self.o, &self.ranges, outputs);
            parallel::for_each(rows.into_iter().zip(&self.ranges).collect(), |(o, rows), _| {
                let into = RowsMut { data: o, stride: outputs };
                all.v.multiply_in_turn(of_rows(h, rows), Start::Row(c), into, back);
                Ok(())
            })?;
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
