//! One token at a time: the network of a language model with its weights packed once.
//!
//! For generation and suggestions: x = E\[id\]; h ← f(b + U x + W h); o = c + V h. The state h stays here.

use super::embedding::check_ids;
use super::recurrence::{Cell, Weights};
use super::rnn::Rnn;
use crate::error::Result;
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

/// Embedding, recurrence and output layer, ready to step `batch` sequences side by side.
pub struct Stepper<R: Real> {
    cell: Rnn,
    table: Vec<R>,
    inputs: usize,
    u: Packed<R>,
    w: Packed<R>,
    b: Vec<R>,
    v: Packed<R>,
    c: Vec<R>,
    batch: usize,
    h: Vec<R>,
    a: Vec<R>,
    x: Vec<R>,
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
            v: Packed::transposed(OP, v, outputs, hidden)?,
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
    pub fn output(&mut self) -> &[R] {
        let (hidden, outputs) = (self.b.len(), self.c.len());
        let h = Rows { data: &self.h, stride: hidden, count: self.batch };
        self.v.multiply(h, Start::Row(&self.c), RowsMut { data: &mut self.o, stride: outputs });
        &self.o
    }
}
