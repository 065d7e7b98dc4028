//! The gated recurrent unit (Cho et al. 2014), with the reset gate applied after the product, as in cuDNN.
//!
//! n needs U x_t and W h_{t−1} separately, so there are four blocks of pre-activations for
//! the weights' three:
//!   r = σ(a_r),  z = σ(a_z),  n = tanh(a_x + r ⊙ a_h),   h_t = (1 − z) ⊙ n + z ⊙ h_{t−1}
//! with a_r, a_z = b + U x_t + W h_{t−1} of their blocks, a_h = b_h + W_n h_{t−1} and a_x = b_n + U_n x_t. In
//! this order — r, z, h, x — the three blocks that receive W h are contiguous, and so are their gradients.

use super::cell::{Layout, State, StateMut};
use crate::kernels::Real;
use crate::kernels::cell::{self, Formula, Vector};

pub(super) const LAYOUT: Layout =
    Layout { sums: 4, recurrent: 3, inputs: &[(0, 2), (3, 1)], memory: false, direct: true };

struct Gru;

impl Formula<4, 1> for Gru {
    #[inline(always)]
    fn step<V: Vector>(&self, [r, z, a_h, a_x]: [V; 4], [h]: [V; 1]) -> ([V; 4], [V; 1]) {
        let (r, z) = (r.sigmoid(), z.sigmoid());
        let n = r.mul_add(a_h, a_x).tanh();
        ([r, z, a_h, n], [z.mul_add(h - n, n)])
    }

    #[inline(always)]
    fn derivative<V: Vector>(
        &self,
        [r, z, a_h, n]: [V; 4],
        [h_before]: [V; 1],
        _: [V; 1],
        [dh]: [V; 1],
    ) -> ([V; 4], [V; 1]) {
        let one = V::constant(1.0);
        let dz = dh * (h_before - n) * z * (one - z);
        let da_x = dh * (one - z) * (one - n * n);
        let dr = da_x * a_h * r * (one - r);
        ([dr, dz, da_x * r, da_x], [dh * z])
    }
}

/// See [`super::cell::Cell::step`].
pub(super) fn step<R: Real>(hidden: usize, sums: &mut [R], before: State<'_, R>, after: StateMut<'_, R>) {
    cell::step(&Gru, hidden, sums, [before.h], [after.h]);
}

/// See [`super::cell::Cell::derivative`].
pub(super) fn derivative<R: Real>(
    hidden: usize,
    kept: &[R],
    before: State<'_, R>,
    d: StateMut<'_, R>,
    da: &mut [R],
) {
    // h_t itself is not needed, only the values it was computed from.
    cell::derivative(&Gru, hidden, kept, ([before.h], [before.h]), [d.h], da);
}
