//! A recurrent layer that runs step by step, with its weights packed once: the basis of `stepper.rs`
//! and `decoder.rs`.

use std::ops::Range;

use super::cell::{Cell, Layout, State, StateMut};
use super::recurrence::{Extras, Projection, Recurrent};
use crate::error::Result;
use crate::kernels::{self, Norm, Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

/// The parameters of a recurrent layer.
#[derive(Clone, Copy)]
pub struct Weights<'a, R> {
    /// Cell, H and W
    pub recurrent: Recurrent<'a, R>,
    /// U (blocks·H, I)
    pub u: &'a [R],
    /// I
    pub inputs: usize,
    /// b (sums·H)
    pub b: &'a [R],
}

/// A recurrent layer with its weights packed.
pub(super) struct Step<R: Real> {
    cell: Cell,
    layout: Layout,
    hidden: usize,
    projection: Projection<R>,
    w: Packed<R>,
    /// γ and β of a normalization
    norm: Option<[Vec<R>; 2]>,
    /// The rates of zoneout, applied as an average. (Dropout is active only in training.)
    zoneout: Option<[f64; 2]>,
}

/// The input of a step.
#[derive(Clone, Copy)]
pub(super) enum Given<'a, R> {
    /// x (count, I)
    Inputs(Rows<'a, R>),
    /// b + U x (count, sums·H), computed beforehand
    Sums(&'a [R]),
}

impl<'a, R> Given<'a, R> {
    /// Returns the input of some of `count` sequences.
    pub(super) fn of(self, sequences: &Range<usize>, count: usize) -> Self {
        match self {
            Given::Inputs(x) => Given::Inputs(of_rows(x, sequences)),
            Given::Sums(sums) => {
                let width = sums.len() / count.max(1);
                Given::Sums(&sums[sequences.start * width..sequences.end * width])
            }
        }
    }
}

/// Returns some of the rows.
pub(super) fn of_rows<'a, R>(rows: Rows<'a, R>, some: &Range<usize>) -> Rows<'a, R> {
    Rows { data: &rows.data[some.start * rows.stride..], stride: rows.stride, count: some.len() }
}

/// The states of `count` sequences before and after a step, and the step's work buffers.
pub(super) struct States<R> {
    count: usize,
    hidden: usize,
    /// (count, sums·H)
    sums: Vec<R>,
    /// x̂ (count, sums·H) and scales (count, sums) of a normalization, or empty
    normed: [Vec<R>; 2],
    /// h (count, H), and c (count, H) or empty
    before: [Vec<R>; 2],
    after: [Vec<R>; 2],
}

/// The part of [`States`] that belongs to some of the sequences.
pub(super) struct Part<'a, R> {
    sums: &'a mut [R],
    normed: [&'a mut [R]; 2],
    before: [&'a [R]; 2],
    after: [&'a mut [R]; 2],
}

impl<R: Real> Step<R> {
    pub(super) fn new(op: &'static str, weights: Weights<'_, R>) -> Result<Self> {
        let Recurrent { cell, hidden, w, extras } = weights.recurrent;
        let Extras { norm, zoneout, .. } = extras;
        let layout = cell.layout();
        let u = (weights.u, weights.inputs);
        Ok(Step {
            cell,
            layout,
            hidden,
            projection: Projection::of(op, (layout, hidden), &(0..hidden), u, weights.b)?,
            w: Packed::transposed(op, w, layout.recurrent * hidden, hidden)?,
            norm: norm.map(|(gain, shift)| [gain.to_vec(), shift.to_vec()]),
            zoneout: zoneout.map(|zoneout| zoneout.rates),
        })
    }

    pub(super) fn hidden(&self) -> usize {
        self.hidden
    }

    /// Returns the number of operations of a sequence's step with W.
    pub(super) fn operations(&self) -> usize {
        2 * self.layout.recurrent * self.hidden * self.hidden
    }

    /// Returns the size of a sequence's state.
    pub(super) fn state_size(&self) -> usize {
        self.layout.states() * self.hidden
    }

    /// Returns zero states for `count` sequences.
    pub(super) fn states(&self, op: &'static str, count: usize) -> Result<States<R>> {
        let (sums, hidden) = (self.layout.sums, self.hidden);
        let normed = if self.norm.is_some() { count * sums } else { 0 };
        let memory = if self.layout.memory { count } else { 0 };
        let pair = || Ok([parallel::zeros(op, &[count, hidden])?, parallel::zeros(op, &[memory, hidden])?]);
        Ok(States {
            count,
            hidden,
            sums: parallel::zeros(op, &[count, sums, hidden])?,
            normed: [parallel::zeros(op, &[normed, hidden])?, parallel::zeros(op, &[normed])?],
            before: pair()?,
            after: pair()?,
        })
    }

    /// Computes b + U x (tokens, sums·H) for a whole table of inputs (tokens, I).
    ///
    /// # Errors
    /// [`crate::Error::Memory`].
    pub(super) fn project(&self, op: &'static str, table: &[R], inputs: usize) -> Result<Vec<R>> {
        let count = table.len() / inputs.max(1);
        let mut sums = parallel::scratch(op, &[count, self.layout.sums, self.hidden])?;
        self.projection.fill(Rows { data: table, stride: inputs, count }, &mut sums);
        Ok(sums)
    }

    /// Computes one step of some sequences, from the states before it to those after it. Returns h.
    pub(super) fn run<'a>(&self, given: Given<'_, R>, part: Part<'a, R>) -> &'a [R] {
        let Part { sums, normed: [hat, scales], before: [h, c], after: [h_after, c_after] } = part;
        let (hidden, width) = (self.hidden, self.layout.sums * self.hidden);
        let count = sums.len() / width.max(1);
        match given {
            Given::Inputs(x) => self.projection.fill(x, sums),
            Given::Sums(begun) => sums.copy_from_slice(begun),
        }
        let into = RowsMut { data: &mut *sums, stride: width };
        self.w.multiply(Rows { data: h, stride: hidden, count }, Start::Accumulate, into);
        if let Some([gain, shift]) = &self.norm {
            kernels::normalize(Norm { gain, shift, width: hidden }, sums, hat, scales);
        }
        if self.layout.sums == 1 {
            self.cell.step(hidden, sums, State { h, c }, StateMut { h: &mut [], c: &mut [] });
            h_after.copy_from_slice(sums);
        } else {
            self.cell.step(hidden, sums, State { h, c }, StateMut { h: &mut *h_after, c: &mut *c_after });
        }
        if let Some(rates) = self.zoneout {
            for ((before, after), rate) in [(h, &mut *h_after), (c, c_after)].into_iter().zip(rates) {
                let renewed = R::of(1.0 - rate); // rounded as in the driver's `extras::mix`, for the same bits
                for (after, &before) in after.iter_mut().zip(before) {
                    *after = renewed * *after + (R::one() - renewed) * before;
                }
            }
        }
        h_after
    }
}

impl<R: Real> States<R> {
    /// Returns h (count, H).
    pub(super) fn h(&self) -> &[R] {
        &self.before[0]
    }

    /// Returns c (count, H), or empty.
    pub(super) fn c(&self) -> &[R] {
        &self.before[1]
    }

    /// Returns h and c of a sequence, mutable.
    pub(super) fn of_sequence(&mut self, i: usize) -> impl Iterator<Item = &mut [R]> {
        let row = i * self.hidden..(i + 1) * self.hidden;
        self.before.iter_mut().filter(|part| !part.is_empty()).map(move |part| &mut part[row.clone()])
    }

    /// Sets all states to zero.
    pub(super) fn reset(&mut self) {
        self.before.iter_mut().for_each(|part| part.fill(R::zero()));
    }

    /// Returns the parts of the sequences in these ranges, which must be consecutive.
    pub(super) fn parts(&mut self, ranges: &[Range<usize>]) -> Vec<Part<'_, R>> {
        fn cut<'a, R>(data: &'a mut [R], ranges: &[Range<usize>], count: usize) -> Vec<&'a mut [R]> {
            parallel::split_rows(data, ranges, data.len() / count.max(1))
        }
        let (count, hidden) = (self.count, self.hidden);
        let [hat, scales] = &mut self.normed;
        let [h_after, c_after] = &mut self.after;
        let before = |range: &Range<usize>| {
            let [h, c] = &self.before;
            let row = range.start * hidden..range.end * hidden;
            [&h[row.clone()], if c.is_empty() { &c[..] } else { &c[row] }]
        };
        let written = cut(&mut self.sums, ranges, count)
            .into_iter()
            .zip(cut(hat, ranges, count))
            .zip(cut(scales, ranges, count))
            .zip(cut(h_after, ranges, count))
            .zip(cut(c_after, ranges, count));
        ranges
            .iter()
            .zip(written)
            .map(|(range, ((((sums, hat), scales), h), c))| Part {
                sums,
                normed: [hat, scales],
                before: before(range),
                after: [h, c],
            })
            .collect()
    }

    /// Returns the states of the given sequences, in any order and with repetition.
    pub(super) fn gather(&self, step: &Step<R>, op: &'static str, rows: &[usize]) -> Result<Self> {
        let mut states = step.states(op, rows.len())?;
        for (into, from) in states.before.iter_mut().zip(&self.before).filter(|(_, from)| !from.is_empty()) {
            for (into, &row) in into.chunks_exact_mut(self.hidden).zip(rows) {
                into.copy_from_slice(&from[row * self.hidden..][..self.hidden]);
            }
        }
        Ok(states)
    }

    /// Makes the states after the step the states before the next one.
    pub(super) fn advance(&mut self) {
        std::mem::swap(&mut self.before, &mut self.after);
    }
}
