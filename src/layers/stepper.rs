//! One token at a time: the network of a language model with its weights packed once.
//!
//! For generation and suggestions: x = E\[id\]; h ← f(b + U x + W h); o = c + V h. The state h stays here.

use std::ops::Range;

use super::embedding::check_ids;
use super::recurrence::{Cell, Weights};
use super::rnn::Rnn;
use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

/// Numbers of V worth a thread: to read them takes longer than to wake it.
const GRAIN: usize = 1 << 18;

/// Embedding, recurrence and output layer, ready to step `batch` sequences side by side.
pub struct Stepper<R: Real> {
    cell: Rnn,
    table: Vec<R>,
    inputs: usize,
    u: Packed<R>,
    w: Packed<R>,
    b: Vec<R>,
    /// The output layer, divided among the threads where it is large.
    outputs: Vec<Part<R>>,
    c: Vec<R>,
    batch: usize,
    h: Vec<R>,
    a: Vec<R>,
    x: Vec<R>,
    o: Vec<R>,
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
    /// If the lengths of the slices do not belong together (the Python module checks shapes first).
    pub fn new(
        cell: Rnn,
        (table, inputs): (&[R], usize),
        weights: Weights<'_, R>,
        (v, c): (&[R], &[R]),
        batch: usize,
    ) -> Result<Self> {
        const OP: &str = "Stepper";
        let (hidden, outputs) = (weights.b.len(), c.len());
        let ranges = parallel::ranges(outputs, GRAIN / hidden.max(1))?;
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
            cell,
            table: copy(table)?,
            inputs,
            u: Packed::transposed(OP, weights.u, hidden, inputs)?,
            w: Packed::transposed(OP, weights.w, hidden, hidden)?,
            b: copy(weights.b)?,
            outputs: parts.into_iter().flatten().collect(),
            c: copy(c)?,
            batch,
            h: parallel::zeros(OP, &[batch, hidden])?,
            a: parallel::zeros(OP, &[batch, hidden])?,
            x: parallel::zeros(OP, &[batch, inputs])?,
            o: parallel::zeros(OP, &[batch, outputs])?,
        })
    }

    /// Sequences side by side.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// H
    pub fn hidden(&self) -> usize {
        self.b.len()
    }

    /// O
    pub fn outputs(&self) -> usize {
        self.c.len()
    }

    /// h (batch, H)
    pub fn state(&self) -> &[R] {
        &self.h
    }

    /// h (batch, H), to change.
    pub fn state_mut(&mut self) -> &mut [R] {
        &mut self.h
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
        let (inputs, hidden) = (self.inputs, self.b.len());
        check_ids("Stepper.step", "ids", ids, self.table.len() / inputs.max(1))?;
        for (x, &id) in self.x.chunks_exact_mut(inputs.max(1)).zip(ids) {
            x.copy_from_slice(&self.table[id as usize * inputs..][..inputs]);
        }
        let x = Rows { data: &self.x, stride: inputs, count: self.batch };
        self.u.multiply(x, Start::Row(&self.b), RowsMut { data: &mut self.a, stride: hidden });
        let h = Rows { data: &self.h, stride: hidden, count: self.batch };
        self.w.multiply(h, Start::Accumulate, RowsMut { data: &mut self.a, stride: hidden });
        self.cell.step(&mut self.a);
        std::mem::swap(&mut self.h, &mut self.a);
        Ok(())
    }

    /// o (batch, O) = c + V h of the state as it is.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`].
    pub fn output(&mut self) -> Result<&[R]> {
        let (hidden, outputs) = (self.b.len(), self.c.len());
        let h = Rows { data: &self.h, stride: hidden, count: self.batch };
        let c = &self.c;
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
