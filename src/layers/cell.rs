//! The cells: what becomes of the sums of a step, and the derivative of that. The way through time is `recurrence.rs`.
//!
//! Every cell has a file of its own; here stands what the driver asks of them all.

use crate::error::{Result, check_shape};
use crate::kernels::{Activation, Real};
use crate::layers::{gru, lstm, rnn};

/// A cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// h_t = f(a_t), see `rnn.rs`.
    Rnn(Activation),
    /// Long short-term memory, see `lstm.rs`.
    Lstm,
    /// The gated recurrent unit, see `gru.rs`.
    Gru,
}

/// How a cell's arrays are laid out, in blocks of H numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Blocks of sums a_t. Where there is but one, h_t is made of it in place, and the way back needs no more than h_t.
    pub sums: usize,
    /// The first so many of them take up W h_{t−1}: W is (recurrent·H, H).
    pub recurrent: usize,
    /// Runs of blocks that take up U x_t, (first, number), in the order of U's rows.
    pub inputs: &'static [(usize, usize)],
    /// Whether there is a second state c_t beside h_t.
    pub memory: bool,
    /// Whether h_t depends on h_{t−1} beside the sums.
    pub direct: bool,
}

impl Layout {
    /// Blocks of a state: h, and c where there is one.
    pub fn states(&self) -> usize {
        1 + usize::from(self.memory)
    }

    /// Blocks of U's rows.
    pub fn input_blocks(&self) -> usize {
        self.inputs.iter().map(|(_, blocks)| blocks).sum()
    }
}

/// Rows of the states before or after a step: h (rows, H), and c likewise, or empty.
#[derive(Clone, Copy)]
pub struct State<'a, R> {
    /// h
    pub h: &'a [R],
    /// c
    pub c: &'a [R],
}

/// The same, to be written.
pub struct StateMut<'a, R> {
    /// h
    pub h: &'a mut [R],
    /// c
    pub c: &'a mut [R],
}

impl<R> StateMut<'_, R> {
    /// The same once more.
    pub fn by_reference(&mut self) -> StateMut<'_, R> {
        StateMut { h: self.h, c: self.c }
    }
}

impl Cell {
    /// How its arrays are laid out.
    pub fn layout(self) -> Layout {
        match self {
            Cell::Rnn(_) => rnn::LAYOUT,
            Cell::Lstm => lstm::LAYOUT,
            Cell::Gru => gru::LAYOUT,
        }
    }

    /// One step of some rows. `sums` (rows, sums·H) becomes what the way back needs; with one block of sums it becomes h,
    /// and `after.h` is empty.
    pub fn step<R: Real>(self, hidden: usize, sums: &mut [R], before: State<'_, R>, after: StateMut<'_, R>) {
        match self {
            Cell::Rnn(activation) => rnn::step(activation, sums),
            Cell::Lstm => lstm::step(hidden, sums, before, after),
            Cell::Gru => gru::step(hidden, sums, before, after),
        }
    }

    /// The derivative of that: `d` holds ∂L/∂after and becomes what of ∂L/∂before does not come through the sums (h's part
    /// only where the layout says `direct`); `da` becomes ∂L/∂sums. `kept` is what `step` left in the sums.
    pub fn derivative<R: Real>(
        self,
        hidden: usize,
        kept: &[R],
        (before, after): (State<'_, R>, State<'_, R>),
        d: StateMut<'_, R>,
        da: &mut [R],
    ) {
        match self {
            Cell::Rnn(activation) => rnn::derivative(activation, after, d, da),
            Cell::Lstm => lstm::derivative(hidden, kept, (before, after), d, da),
            Cell::Gru => gru::derivative(hidden, kept, before, d, da),
        }
    }

    /// H and I, from the shapes of U, W and the bias.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] naming the array that does not fit.
    pub fn sizes(
        self,
        op: &'static str,
        (u, w, b): (&[usize], &[usize], &[usize]),
    ) -> Result<(usize, usize)> {
        let layout = self.layout();
        let hidden = w.get(1).copied().unwrap_or(0);
        check_shape(op, "W", w, &[("rows", Some(layout.recurrent * hidden)), ("H", None)])?;
        check_shape(op, "U", u, &[("rows", Some(layout.input_blocks() * hidden)), ("I", None)])?;
        check_shape(op, "b", b, &[("rows", Some(layout.sums * hidden))])?;
        Ok((hidden, u[1]))
    }
}
