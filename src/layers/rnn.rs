//! The Elman cell: h_t = f(a_t) with a_t = b + W h_{t-1} + U x_t (Elman 1990; Goodfellow et al.,
//! equations 10.8–10.9).

use super::cell::{Layout, State, StateMut};
use crate::kernels::{self, Activation, Real};

pub(super) const LAYOUT: Layout =
    Layout { sums: 1, recurrent: 1, inputs: &[(0, 1)], memory: false, direct: false };

/// Computes h ← f(a) in place.
pub(super) fn step<R: Real>(activation: Activation, a: &mut [R]) {
    kernels::activate(activation, a);
}

/// Computes da = dh ⊙ f′(a), with f′ in terms of h.
pub(super) fn derivative<R: Real>(
    activation: Activation,
    after: State<'_, R>,
    d: StateMut<'_, R>,
    da: &mut [R],
) {
    da.copy_from_slice(d.h);
    kernels::differentiate(activation, after.h, da);
}
