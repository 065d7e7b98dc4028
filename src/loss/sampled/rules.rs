//! The loss of one position and its do, from the scores.

use crate::kernels::{self, Activation, Real};

/// Returns L and do of the correct class for a softmax over the correct class and the sample; replaces the
/// sample's scores o by do. L = ln(e^y + Σ e^o) − y, where `hit`, the sample's entry for the correct
/// class, is left out.
pub(super) fn softmax<R: Real>(o: &mut [R], y: f64, hit: Option<usize>, weight: f64) -> (f64, f64) {
    if let Some(hit) = hit {
        o[hit] = R::of(-1e30);
    }
    let (most, sum) = if hit.is_some() && o.len() == 1 {
        (y, 0.0)
    } else {
        let (most, sum) = kernels::exponentials(o);
        (most.wide(), sum.wide())
    };
    if let Some(hit) = hit {
        o[hit] = R::zero();
    }
    let top = if y > most { y } else { most };
    let (own, others) = (libm::exp(y - top), libm::exp(most - top));
    let z = own + sum * others;
    let factor = R::of(others / z * weight);
    o.iter_mut().for_each(|x| *x *= factor);
    (libm::log(z) + (top - y), -(sum * others / z) * weight)
}

/// Returns L and do of the correct class for NCE: L = softplus(−y) + Σ m softplus(o), where m are the counts.
/// Replaces o by do.
///
/// softplus(o) = max(o, 0) − ln σ(|o|). Each σ(|o|) is between ½ and 1; as many as fit are multiplied before
/// taking a logarithm.
pub(super) fn nce<R: Real>(o: &mut [R], y: f64, counts: &[i64], weight: f64) -> (f64, f64) {
    const FACTORS: usize = 512;
    let mut loss: f64 = o.iter().zip(counts).map(|(o, &m)| m as f64 * o.wide().max(0.0)).sum();
    kernels::activate(Activation::Sigmoid, o);
    for (o, counts) in o.chunks_mut(FACTORS).zip(counts.chunks(FACTORS)) {
        let mut product = 1.0;
        for (o, &m) in o.iter_mut().zip(counts) {
            let sigma = o.wide();
            let sure = if sigma > 0.5 { sigma } else { 1.0 - sigma };
            if m == 1 {
                product *= sure;
            } else {
                loss -= m as f64 * libm::log(sure);
            }
            *o = R::of(sigma * (m as f64 * weight));
        }
        loss -= libm::log(product);
    }
    let tail = libm::exp(-y.abs());
    loss += (-y).max(0.0) + libm::log1p(tail);
    let missing = if y >= 0.0 { tail / (1.0 + tail) } else { 1.0 / (1.0 + tail) };
    (loss, -missing * weight)
}
