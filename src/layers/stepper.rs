//! One token at a time: the network of a language model with its weights packed once.
//!
//! For generation and suggestions: x = E\[id\]; the cell's step from a = b + U x + W h; o = c + V h. The state stays here.

use std::ops::Range;

use super::cell::{Cell, Layout, State, StateMut};
use super::embedding::check_ids;
use super::recurrence::{Extras, Projection, Recurrent};
use crate::error::Result;
use crate::kernels::{self, Norm, Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

/// Numbers of V worth a thread: to read them takes longer than to wake it.
const GRAIN: usize = 1 << 18;

/// Embedding, recurrent layers and output layer, ready to step `batch` sequences side by side.
pub struct Stepper<R: Real> {
    batch: usize,
    table: Vec<R>,
    x: Vec<R>,
    layers: Vec<Layer<R>>,
    /// The output layer, divided among the threads where it is large.
    outputs: Vec<Part<R>>,
    c: Vec<R>,
    o: Vec<R>,
}

/// A recurrent layer's parameters.
#[derive(Clone, Copy)]
pub struct Weights<'a, R> {
    /// Cell, H and W.
    pub recurrent: Recurrent<'a, R>,
    /// U (blocks·H, I)
    pub u: &'a [R],
    /// I
    pub inputs: usize,
    /// b (sums·H)
    pub b: &'a [R],
}

/// One recurrent layer, and its state.
struct Layer<R: Real> {
    cell: Cell,
    layout: Layout,
    hidden: usize,
    projection: Projection<R>,
    w: Packed<R>,
    sums: Vec<R>,
    besides: Besides<R>,
    /// h (batch, H), and the one to come.
    h: [Vec<R>; 2],
    /// c (batch, H) likewise, or empty.
    c: [Vec<R>; 2],
}

impl<R: Real> Layer<R> {
    fn new(op: &'static str, weights: Weights<'_, R>, batch: usize) -> Result<Self> {
        let Recurrent { cell, hidden, w, extras } = weights.recurrent;
        let layout = cell.layout();
        let memory = if layout.memory { hidden } else { 0 };
        let state =
            |width| Ok([parallel::zeros(op, &[batch, width])?, parallel::zeros(op, &[batch, width])?]);
        let u = (weights.u, weights.inputs);
        Ok(Layer {
            cell,
            layout,
            hidden,
            projection: Projection::of(op, (layout, hidden), &(0..hidden), u, weights.b)?,
            w: Packed::transposed(op, w, layout.recurrent * hidden, hidden)?,
            sums: parallel::zeros(op, &[batch, layout.sums, hidden])?,
            besides: Besides::new(extras, batch * layout.sums, hidden),
            h: state(hidden)?,
            c: state(memory)?,
        })
    }

    /// Moves the state on by one step.
    fn step(&mut self, x: Rows<'_, R>) {
        let (hidden, stride) = (self.hidden, self.layout.sums * self.hidden);
        self.projection.fill(x, &mut self.sums);
        let ([h, h_after], [c, c_after]) = (&mut self.h, &mut self.c);
        let before = Rows { data: h, stride: hidden, count: x.count };
        self.w.multiply(before, Start::Accumulate, RowsMut { data: &mut self.sums, stride });
        self.besides.before_step(&mut self.sums, hidden);
        if self.layout.sums == 1 {
            self.cell.step(hidden, &mut self.sums, State { h, c }, StateMut { h: &mut [], c: &mut [] });
            self.besides.after_step([(h, &mut self.sums), (c, c_after)]);
            std::mem::swap(h, &mut self.sums);
        } else {
            self.cell.step(hidden, &mut self.sums, State { h, c }, StateMut { h: h_after, c: c_after });
            self.besides.after_step([(h, h_after), (c, c_after)]);
            self.h.swap(0, 1);
            self.c.swap(0, 1);
        }
    }

    fn output(&self) -> Rows<'_, R> {
        Rows { data: &self.h[0], stride: self.hidden, count: self.h[0].len() / self.hidden.max(1) }
    }
}

/// What there is besides: a normalisation, zoneout as it is on average. (Dropout has no part in a step that is not training.)
struct Besides<R> {
    /// γ, β, and room for x̂ and the scales.
    norm: Option<[Vec<R>; 4]>,
    zoneout: Option<[f64; 2]>,
}

impl<R: Real> Besides<R> {
    fn new(extras: Extras<'_, R>, blocks: usize, hidden: usize) -> Self {
        let room = |n| vec![R::zero(); n];
        let norm = extras
            .norm
            .map(|(gain, shift)| [gain.to_vec(), shift.to_vec(), room(blocks * hidden), room(blocks)]);
        Besides { norm, zoneout: extras.zoneout.map(|zoneout| zoneout.rates) }
    }

    fn before_step(&mut self, sums: &mut [R], hidden: usize) {
        if let Some([gain, shift, hat, scales]) = &mut self.norm {
            kernels::normalise(Norm { gain, shift, width: hidden }, sums, hat, scales);
        }
    }

    fn after_step(&self, states: [(&mut Vec<R>, &mut Vec<R>); 2]) {
        let Some(rates) = self.zoneout else { return };
        for ((before, after), rate) in states.into_iter().zip(rates) {
            let rate = R::of(rate);
            for (after, &before) in after.iter_mut().zip(&*before) {
                *after = (R::one() - rate) * *after + rate * before;
            }
        }
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
        Ok(Stepper {
            batch,
            table: copy(table)?,
            x: parallel::zeros(OP, &[batch, inputs])?,
            layers: layers.iter().map(|layer| Layer::new(OP, *layer, batch)).collect::<Result<_>>()?,
            outputs: parts.into_iter().flatten().collect(),
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
        self.layers.last().map_or(0, |layer| layer.hidden)
    }

    /// O
    pub fn outputs(&self) -> usize {
        self.c.len()
    }

    /// Numbers in a sequence's state: each layer's h, and its c where it has one.
    pub fn state_size(&self) -> usize {
        self.layers.iter().map(|layer| layer.layout.states() * layer.hidden).sum()
    }

    /// The state (batch, state_size): layer after layer, h, then c.
    pub fn state(&self) -> Vec<R> {
        let mut state = Vec::with_capacity(self.batch * self.state_size());
        for i in 0..self.batch {
            for layer in &self.layers {
                let row = i * layer.hidden..(i + 1) * layer.hidden;
                state.extend_from_slice(&layer.h[0][row.clone()]);
                if layer.layout.memory {
                    state.extend_from_slice(&layer.c[0][row]);
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
            for layer in &mut self.layers {
                let row = i * layer.hidden..(i + 1) * layer.hidden;
                let (h, after) = rest.split_at(layer.hidden);
                layer.h[0][row.clone()].copy_from_slice(h);
                rest = after;
                if layer.layout.memory {
                    let (c, after) = rest.split_at(layer.hidden);
                    layer.c[0][row].copy_from_slice(c);
                    rest = after;
                }
            }
        }
    }

    /// Sets the state to zero.
    pub fn reset(&mut self) {
        for layer in &mut self.layers {
            layer.h[0].fill(R::zero());
            layer.c[0].fill(R::zero());
        }
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
        let inputs = self.x.len() / self.batch.max(1);
        check_ids("Stepper.step", "ids", ids, self.table.len() / inputs.max(1))?;
        for (x, &id) in self.x.chunks_exact_mut(inputs.max(1)).zip(ids) {
            x.copy_from_slice(&self.table[id as usize * inputs..][..inputs]);
        }
        let mut x = Rows { data: &self.x[..], stride: inputs, count: self.batch };
        for layer in &mut self.layers {
            layer.step(x);
            x = layer.output();
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
        let (h, c) = (last.output(), &self.c);
        if let [all] = &mut self.outputs[..] {
            all.v.multiply(h, Start::Row(c), RowsMut { data: &mut self.o, stride: outputs });
            return Ok(&self.o);
        }
        parallel::for_each(self.outputs.iter_mut().collect(), |part, _| {
            let stride = part.units.len();
            part.v.multiply(h, Start::Row(&c[part.units.clone()]), RowsMut { data: &mut part.o, stride });
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
