//! Optional additions to the cell's step: recurrent dropout, zoneout, layer normalization.

use std::ops::Range;

use crate::kernels::{self, Norm, Place, Real};

/// The additions that a layer uses, each optional.
#[derive(Clone, Copy)]
pub struct Extras<'a, R> {
    /// Recurrent dropout (Gal and Ghahramani 2016): a mask (B, H), the same at every step, by which h_{t−1}
    /// is multiplied before W.
    pub mask: Option<&'a [R]>,
    /// Zoneout
    pub zoneout: Option<Zoneout<'a>>,
    /// Layer normalization of every block of pre-activations, W h + U x without the bias: γ and β (sums·H)
    pub norm: Option<(&'a [R], &'a [R])>,
}

impl<R> Extras<'_, R> {
    /// No additions.
    pub const NONE: Self = Extras { mask: None, zoneout: None, norm: None };

    /// Returns whether there are no additions.
    pub(super) fn is_none(&self) -> bool {
        self.mask.is_none() && self.zoneout.is_none() && self.norm.is_none()
    }
}

/// Zoneout (Krueger et al. 2017): some units keep their state for a step.
#[derive(Debug, Clone, Copy)]
pub struct Zoneout<'a> {
    /// The probability of keeping the state, for the units of h and of c
    pub rates: [f64; 2],
    /// The seed of the masks and the keys of the sequences (B). Without them every unit keeps a share of its
    /// state, equal to the average over masks.
    pub drawn: Option<(u64, &'a [u64])>,
}

impl Zoneout<'_> {
    /// Fills `renewed` for the units of h (kind 0) or c (kind 1) at a step: 1 for units that are updated and
    /// 0 for the others; or, without masks, the share of each that is updated.
    pub(super) fn renewed<R: Real>(
        &self,
        kind: usize,
        t: usize,
        sequences: Range<usize>,
        hidden: usize,
        renewed: &mut [R],
    ) {
        let rate = self.rates[kind];
        let Some((seed, keys)) = self.drawn else {
            renewed.fill(R::of(1.0 - rate));
            return;
        };
        for (row, key) in renewed.chunks_exact_mut(hidden).zip(&keys[sequences]) {
            // The masks of c use steps of their own: odd ones.
            let place = Place { seed, key: *key, step: (2 * t + kind) as u32 };
            kernels::bernoulli(place, rate, R::one(), row);
        }
    }
}

/// Computes state ← renewed · state + (1 − renewed) · before.
pub(super) fn mix<R: Real>(renewed: &[R], before: &[R], state: &mut [R]) {
    for ((state, &before), &renewed) in state.iter_mut().zip(before).zip(renewed) {
        // Not before + renewed · (state − before), which might not reproduce a kept value exactly.
        *state = renewed * *state + (R::one() - renewed) * before;
    }
}

/// Computes d ← renewed · d and `kept` ← (1 − renewed) · d.
pub(super) fn part<R: Real>(renewed: &[R], d: &mut [R], kept: &mut [R]) {
    for ((d, kept), &renewed) in d.iter_mut().zip(kept).zip(renewed) {
        *kept = (R::one() - renewed) * *d;
        *d *= renewed;
    }
}

/// Returns the normalization of a layer's pre-activations.
pub(super) fn norm<'a, R>((gain, shift): (&'a [R], &'a [R]), hidden: usize) -> Norm<'a, R> {
    Norm { gain, shift, width: hidden }
}
