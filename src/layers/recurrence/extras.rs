//! What may be done on the way through time beside the cell's step: dropout in the recurrence, zoneout, layer
//! normalization.

use std::ops::Range;

use crate::kernels::{self, Norm, Place, Real};

/// Each of them or none.
#[derive(Clone, Copy)]
pub struct Extras<'a, R> {
    /// Recurrent dropout (Gal and Ghahramani 2016): what h_{t−1} is multiplied by before W, the same at every step (B, H).
    pub mask: Option<&'a [R]>,
    /// Zoneout.
    pub zoneout: Option<Zoneout<'a>>,
    /// Layer normalization of every block of sums, W h + U x without the bias: γ and β (sums·H).
    pub norm: Option<(&'a [R], &'a [R])>,
}

impl<R> Extras<'_, R> {
    /// None of them.
    pub const NONE: Self = Extras { mask: None, zoneout: None, norm: None };

    /// Whether that is so.
    pub(super) fn is_none(&self) -> bool {
        self.mask.is_none() && self.zoneout.is_none() && self.norm.is_none()
    }
}

/// Zoneout (Krueger et al. 2017): some of the units keep their state for a step.
#[derive(Debug, Clone, Copy)]
pub struct Zoneout<'a> {
    /// With which probability: h's units, c's.
    pub rates: [f64; 2],
    /// The seed of the masks and the keys of the sequences (B); without them every unit keeps its state in part, as much as
    /// it would on average.
    pub drawn: Option<(u64, &'a [u64])>,
}

impl Zoneout<'_> {
    /// The units of one kind of state, h (0) or c (1), that are renewed at a step: 1 or 0; or, undrawn, how much of each.
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
            // The steps of c's masks are other steps.
            let place = Place { seed, key: *key, step: (2 * t + kind) as u32 };
            kernels::bernoulli(place, rate, R::one(), row);
        }
    }
}

/// state ← renewed · state + (1 − renewed) · before
pub(super) fn mix<R: Real>(renewed: &[R], before: &[R], state: &mut [R]) {
    for ((state, &before), &renewed) in state.iter_mut().zip(before).zip(renewed) {
        // Not before + renewed · (state − before), which could not give back what it is to keep.
        *state = renewed * *state + (R::one() - renewed) * before;
    }
}

/// d ← renewed · d, `kept` ← (1 − renewed) · d
pub(super) fn part<R: Real>(renewed: &[R], d: &mut [R], kept: &mut [R]) {
    for ((d, kept), &renewed) in d.iter_mut().zip(kept).zip(renewed) {
        *kept = (R::one() - renewed) * *d;
        *d *= renewed;
    }
}

/// The normalization of a layer's sums.
pub(super) fn norm<'a, R>((gain, shift): (&'a [R], &'a [R]), hidden: usize) -> Norm<'a, R> {
    Norm { gain, shift, width: hidden }
}
