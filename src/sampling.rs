//! Selection of a token by the scores o of the output layer.

use std::cmp::Ordering;

use crate::error::{Error, Result};
use crate::kernels::{Real, exponentials};

/// Values per block in `top_k`, which skips a block that holds no candidate.
const BLOCK: usize = 64;

/// The settings for sampling a token from softmax(o / temperature).
#[derive(Debug, Clone, Copy)]
pub struct Sampling {
    /// Below 1 sharpens the distribution, above 1 flattens it; 0 selects the largest score.
    pub temperature: f64,
    /// Samples among the k largest scores; 0 means all.
    pub top_k: usize,
    /// Samples among the most likely tokens whose total probability reaches this value (Holtzman et al.
    /// 2020); 1 means all.
    pub top_p: f64,
}

impl Sampling {
    fn check(&self) -> Result<()> {
        let wrong = |argument, expected: &str, got: f64| Error::Value {
            op: "sample",
            argument,
            expected: expected.into(),
            got: got.to_string(),
        };
        if !(self.temperature >= 0.0 && self.temperature.is_finite()) {
            return Err(wrong("temperature", "a finite number from 0", self.temperature));
        }
        if !(self.top_p > 0.0 && self.top_p <= 1.0) {
            return Err(wrong("top_p", "a number above 0, at most 1", self.top_p));
        }
        Ok(())
    }

    /// Returns the token at `u`, a uniform sample from [0, 1), by inverting the cumulative distribution over
    /// the allowed tokens. The tokens are ordered by decreasing probability, or by id if all are allowed.
    ///
    /// # Errors
    /// [`Error::Value`] for an invalid setting, for empty scores, or if a score is NaN or +∞ or all are −∞.
    pub fn choose<R: Real>(&self, scores: &[R], u: f64) -> Result<usize> {
        self.check()?;
        let best =
            scores.iter().copied().fold(R::neg_infinity(), |m, x| if x > m || x.is_nan() { x } else { m });
        if !best.is_finite() {
            let got = if scores.is_empty() { "none".into() } else { format!("a maximum of {best}") };
            return Err(Error::Value {
                op: "sample",
                argument: "scores",
                expected: "finite scores".into(),
                got,
            });
        }
        if self.temperature == 0.0 {
            return Ok(scores.iter().position(|&x| x == best).unwrap_or(0));
        }
        if self.top_k == 0 && self.top_p == 1.0 {
            return Ok(self.choose_of_all(scores, u));
        }
        let kept = if self.top_k == 0 { scores.len() } else { self.top_k.min(scores.len()) };
        let order = top_k(scores, kept);
        let weights: Vec<f64> =
            order.iter().map(|&i| libm::exp((scores[i].wide() - best.wide()) / self.temperature)).collect();
        let total: f64 = weights.iter().sum();
        let mut allowed = order.len();
        if self.top_p < 1.0 {
            let mut sum = 0.0;
            allowed = 1 + weights
                .iter()
                .take_while(|&&w| {
                    sum += w;
                    sum < self.top_p * total
                })
                .count();
            allowed = allowed.min(order.len());
        }
        let total: f64 = weights[..allowed].iter().sum();
        let mut left = u.clamp(0.0, 1.0) * total;
        for (&i, &w) in order.iter().zip(&weights[..allowed]) {
            left -= w;
            if left < 0.0 {
                return Ok(i);
            }
        }
        Ok(order[allowed - 1])
    }

    /// Implements `choose` when every token is allowed, which needs no sorting.
    fn choose_of_all<R: Real>(&self, scores: &[R], u: f64) -> usize {
        let mut weights: Vec<R> = scores.iter().map(|o| R::of(o.wide() / self.temperature)).collect();
        let (most, _) = exponentials(&mut weights);
        if !most.is_finite() {
            // o / temperature overflows; the distance from the largest score does so where the weight is 0.
            let best = scores.iter().fold(f64::NEG_INFINITY, |m, o| m.max(o.wide()));
            for (w, o) in weights.iter_mut().zip(scores) {
                *w = R::of((o.wide() - best) / self.temperature);
            }
            let _ = exponentials(&mut weights);
        }
        let total: f64 = weights.iter().map(|w| w.wide()).sum();
        let mut left = u.clamp(0.0, 1.0) * total;
        let mut last = 0;
        for (i, w) in weights.iter().enumerate().filter(|(_, w)| **w > R::zero()) {
            last = i;
            left -= w.wide();
            if left < 0.0 {
                break;
            }
        }
        last
    }
}

/// Returns the indices of the k largest values, the largest first. Ties go to the lower index; NaN comes
/// last.
///
/// A single pass compares each value with the smallest of the k best so far.
pub fn top_k<R: Real>(values: &[R], k: usize) -> Vec<usize> {
    let k = k.min(values.len());
    if k == 0 {
        return Vec::new();
    }
    let larger_first = |&a: &usize, &b: &usize| -> Ordering {
        let (x, y) = (values[a], values[b]);
        y.partial_cmp(&x).unwrap_or_else(|| x.is_nan().cmp(&y.is_nan())).then(a.cmp(&b))
    };
    // The best so far and new candidates, up to `room` of them; then only the best k stay.
    let room = 2 * k.max(8);
    let mut best: Vec<usize> = Vec::with_capacity(room);
    let mut least: Option<R> = None;
    for (block, chunk) in values.chunks(BLOCK).enumerate() {
        // Most blocks hold no candidate, and this check is cheap.
        if least.is_some_and(|least| !chunk.iter().fold(false, |any, &x| any | (x > least))) {
            continue;
        }
        for (i, &x) in chunk.iter().enumerate() {
            if least.is_none_or(|least| x > least) {
                best.push(block * BLOCK + i);
            }
            if best.len() == room {
                best.select_nth_unstable_by(k - 1, larger_first);
                best.truncate(k);
                // If the smallest is NaN, every number is better.
                least = Some(values[best[k - 1]]).filter(|least| !least.is_nan());
            }
        }
    }
    best.sort_unstable_by(larger_first);
    best.truncate(k);
    best
}

/// Computes o ← log softmax(o) in place, row by row.
pub fn log_softmax<R: Real>(o: &mut [R], columns: usize) {
    let mut work = vec![R::zero(); columns];
    for row in o.chunks_exact_mut(columns.max(1)) {
        work.copy_from_slice(row);
        let (most, sum) = exponentials(&mut work);
        let log_sum = R::of(libm::log(sum.wide()));
        row.iter_mut().for_each(|x| *x = (*x - most) - log_sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Sampling = Sampling { temperature: 1.0, top_k: 0, top_p: 1.0 };

    proptest! {
        #[test]
        fn top_k_is_the_head_of_the_sorted_order(values in prop::collection::vec(-9i8..9, 0..50), k in 0usize..60) {
            let values: Vec<f32> = values.into_iter().map(f32::from).collect();
            let mut all: Vec<usize> = (0..values.len()).collect();
            all.sort_by(|&a, &b| values[b].partial_cmp(&values[a]).unwrap().then(a.cmp(&b)));
            all.truncate(k);
            prop_assert_eq!(top_k(&values, k), all);
        }

        #[test]
        fn a_draw_respects_its_limits(scores in prop::collection::vec(-5.0f64..5.0, 1..40), u in 0.0f64..1.0, k in 1usize..50) {
            let chosen = Sampling { top_k: k, ..PLAIN }.choose(&scores, u).unwrap();
            prop_assert!(top_k(&scores, k).contains(&chosen));
            prop_assert_eq!(Sampling { top_p: 1e-9, ..PLAIN }.choose(&scores, u).unwrap(), top_k(&scores, 1)[0]);
            prop_assert_eq!(Sampling { temperature: 0.0, ..PLAIN }.choose(&scores, u).unwrap(), top_k(&scores, 1)[0]);
        }
    }

    #[test]
    fn draws_follow_the_distribution() {
        let scores = [0.0f64, (3.0f64).ln()];
        let draws = (0..1000).filter(|i| PLAIN.choose(&scores, f64::from(*i) / 1000.0).unwrap() == 1).count();
        assert_eq!(draws, 750);
    }

    #[test]
    fn cold_draws_take_the_largest_score_and_hot_ones_any() {
        let cold = [f64::from_bits(1), 1e-300, 1e-40, 1e-30];
        for temperature in cold {
            for (top_k, top_p) in [(0, 1.0), (2, 1.0), (0, 0.9)] {
                let sampling = Sampling { temperature, top_k, top_p };
                for u in [0.0, 0.5, 0.999] {
                    assert_eq!(sampling.choose(&[1.0f32, -2.0, 3.0, f32::NEG_INFINITY], u).unwrap(), 2);
                    assert_eq!(sampling.choose(&[-1e30f64, -2e30, f64::NEG_INFINITY], u).unwrap(), 0);
                }
            }
        }
        let hot = Sampling { temperature: 1e300, ..PLAIN };
        for (u, token) in [(0.1, 0), (0.4, 1), (0.9, 2)] {
            assert_eq!(hot.choose(&[1.0f32, -50.0, 90.0, f32::NEG_INFINITY], u).unwrap(), token);
        }
    }

    #[test]
    fn settings_that_make_no_sense_are_refused() {
        for wrong in [
            Sampling { temperature: -1.0, ..PLAIN },
            Sampling { temperature: f64::NAN, ..PLAIN },
            Sampling { top_p: 0.0, ..PLAIN },
            Sampling { top_p: 1.5, ..PLAIN },
        ] {
            assert!(wrong.choose(&[1.0f32], 0.5).is_err(), "{wrong:?}");
        }
        for scores in [&[][..], &[f32::NAN, 1.0], &[1.0, f32::INFINITY], &[f32::NEG_INFINITY]] {
            assert!(PLAIN.choose(scores, 0.5).is_err(), "{scores:?}");
        }
    }
}
