//! The Elman cell: h_t = f(a_t) with a_t = b + W h_{t-1} + U x_t (Elman 1990; Goodfellow et al., equations 10.8–10.9).
//!
//! Only what is the cell's own stands here: f and its derivative. The way through time is `recurrence.rs`.

use super::recurrence::Cell;
use crate::kernels::{self, Activation, Real};

/// The cell, with its nonlinearity f.
#[derive(Debug, Clone, Copy)]
pub struct Rnn {
    /// f
    pub activation: Activation,
}

impl<R: Real> Cell<R> for Rnn {
    fn step(&self, a: &mut [R]) {
        kernels::activate(self.activation, a);
    }

    fn derivative(&self, h: &[R], dh: &mut [R]) {
        kernels::differentiate(self.activation, h, dh);
    }
}
