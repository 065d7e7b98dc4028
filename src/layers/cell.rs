//! The cells: one step from its pre-activations (`sums`), and the step's derivative. The recurrence over time
//! is in `recurrence/`.
//!
//! Each cell has its own file; this one defines the interface that the driver uses.

use crate::error::{Result, check_shape};
use crate::kernels::{Activation, Real};
use crate::layers::{gru, lstm, rnn};

/// A recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell {
    /// h_t = f(a_t); see `rnn.rs`.
    Rnn(Activation),
    /// Long short-term memory; see `lstm.rs`.
    Lstm,
    /// The gated recurrent unit; see `gru.rs`.
    Gru,
}

/// The layout of a cell's arrays, in blocks of H values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Number of blocks of pre-activations a_t. With a single block, h_t is computed in place, and the
    /// backward pass needs only h_t.
    pub sums: usize,
    /// Number of leading blocks that receive W h_{t−1}: W is (recurrent·H, H).
    pub recurrent: usize,
    /// Runs of blocks (first block, number of blocks) that receive U x_t, in the order of U's rows.
    pub inputs: &'static [(usize, usize)],
    /// Whether there is a second state c_t besides h_t.
    pub memory: bool,
    /// Whether h_t depends on h_{t−1} directly, not only through the pre-activations.
    pub direct: bool,
}

impl Layout {
    /// Number of blocks in a state: h, and c if there is one.
    pub fn states(&self) -> usize {
        1 + usize::from(self.memory)
    }

    /// Number of blocks in U's rows.
    pub fn input_blocks(&self) -> usize {
        self.inputs.iter().map(|(_, blocks)| blocks).sum()
    }
}

/// Rows of the states before or after a step: h (rows, H), and c (rows, H) or empty.
#[derive(Clone, Copy)]
pub struct State<'a, R> {
    /// h
    pub h: &'a [R],
    /// c
    pub c: &'a [R],
}

/// Mutable [`State`].
pub struct StateMut<'a, R> {
    /// h
    pub h: &'a mut [R],
    /// c
    pub c: &'a mut [R],
}

impl<R> StateMut<'_, R> {
    /// Reborrows the state.
    pub fn by_reference(&mut self) -> StateMut<'_, R> {
        StateMut { h: self.h, c: self.c }
    }
}

impl Cell {
    /// Returns the layout of the cell's arrays.
    pub fn layout(self) -> Layout {
        match self {
            Cell::Rnn(_) => rnn::LAYOUT,
            Cell::Lstm => lstm::LAYOUT,
            Cell::Gru => gru::LAYOUT,
        }
    }

    /// Computes one step for some rows. `sums` (rows, sums·H) becomes what the backward pass needs; with a
    /// single block it becomes h, and `after.h` is empty.
    pub fn step<R: Real>(self, hidden: usize, sums: &mut [R], before: State<'_, R>, after: StateMut<'_, R>) {
        match self {
            Cell::Rnn(activation) => rnn::step(activation, sums),
            Cell::Lstm => lstm::step(hidden, sums, before, after),
            Cell::Gru => gru::step(hidden, sums, before, after),
        }
    }

    /// Computes the derivative of a step. On entry `d` holds ∂L/∂after; on return it holds the part of
    /// ∂L/∂before that does not pass through the pre-activations (for h only if the layout is `direct`). `da`
    /// becomes ∂L/∂sums. `kept` is what `step` left in `sums`.
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

    /// Returns H and I, from the shapes of U, W and b.
    ///
    /// # Errors
    /// [`crate::Error::Shape`], which names the array with the wrong shape.
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
