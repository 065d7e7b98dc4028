//! Long short-term memory (Hochreiter and Schmidhuber 1997; the forget gate is from Gers, Schmidhuber and
//! Cummins 2000; Goodfellow et al., equations 10.40–10.44).
//!
//! With the pre-activations a = b + U x_t + W h_{t−1} in four blocks:
//!   i = σ(a_i),  f = σ(a_f),  g = tanh(a_g),  o = σ(a_o),
//!   c_t = f ⊙ c_{t−1} + i ⊙ g,   h_t = o ⊙ tanh(c_t).

use super::cell::{Layout, State, StateMut};
use crate::kernels::Real;
use crate::kernels::cell::{self, Formula, Vector};

pub(super) const LAYOUT: Layout =
    Layout { sums: 4, recurrent: 4, inputs: &[(0, 4)], memory: true, direct: false };

struct Lstm;

impl Formula<4, 2> for Lstm {
    #[inline(always)]
    fn step<V: Vector>(&self, [i, f, g, o]: [V; 4], [_, c]: [V; 2]) -> ([V; 4], [V; 2]) {
        let (i, f, g, o) = (i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid());
        let c = f.mul_add(c, i * g);
        ([i, f, g, o], [o * c.tanh(), c])
    }

    #[inline(always)]
    fn derivative<V: Vector>(
        &self,
        [i, f, g, o]: [V; 4],
        [_, c_before]: [V; 2],
        _: [V; 2],
        [dh, dc]: [V; 2],
    ) -> ([V; 4], [V; 2]) {
        // The step's own c: with zoneout, the state after the step differs from it.
        let (one, tanh_c) = (V::constant(1.0), f.mul_add(c_before, i * g).tanh());
        // h = o ⊙ tanh(c) adds to the gradient of c.
        let dc = (dh * o).mul_add(one - tanh_c * tanh_c, dc);
        let di = dc * g * i * (one - i);
        let df = dc * c_before * f * (one - f);
        let dg = dc * i * (one - g * g);
        let d_o = dh * tanh_c * o * (one - o);
        ([di, df, dg, d_o], [V::constant(0.0), dc * f])
    }
}

/// See [`super::cell::Cell::step`].
pub(super) fn step<R: Real>(hidden: usize, sums: &mut [R], before: State<'_, R>, after: StateMut<'_, R>) {
    cell::step(&Lstm, hidden, sums, [before.h, before.c], [after.h, after.c]);
}

/// See [`super::cell::Cell::derivative`].
pub(super) fn derivative<R: Real>(
    hidden: usize,
    kept: &[R],
    (before, after): (State<'_, R>, State<'_, R>),
    d: StateMut<'_, R>,
    da: &mut [R],
) {
    let states = ([before.h, before.c], [after.h, after.c]);
    cell::derivative(&Lstm, hidden, kept, states, [d.h, d.c], da);
}
