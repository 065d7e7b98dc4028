//! A mixture of the vocabulary's softmax and copying from a source (See, Liu and Manning 2017,
//! *Get to the point*).
//!
//! P(y) = g P_V(y) + (1 − g) p, where P_V is the softmax of the output layer, g a gate, and p the attention
//! on the positions of the source where y occurs. L = −ln P(y). With r = g P_V(y) / P(y), the softmax's share
//! of the word: do = r (ŷ − y), ∂L/∂g = −(P_V(y) − p) / P(y), ∂L/∂p = −(1 − g) / P(y).

use super::through::{self, LinearGradients};
use super::{Loss, Targets};
use crate::error::{Error, Result, check_shape};
use crate::kernels::Real;
use crate::layers::linear::Linear;

const OP: &str = "CopyCrossEntropy.through";

/// Added to P(y): the attention on a word can underflow to 0, and L must stay finite.
const LEAST: f64 = 1e-30;

/// The other parts of the mixture, at each position.
#[derive(Clone, Copy)]
pub struct Mixture<'a, R> {
    /// g
    pub gate: &'a [R],
    /// p
    pub copied: &'a [R],
}

/// The places where [`linear_mixture_cross_entropy`] stores the gradients of g and p; overwritten.
pub struct MixtureGradients<'a, R> {
    /// ∂L/∂g
    pub gate: &'a mut [R],
    /// ∂L/∂p
    pub copied: &'a mut [R],
}

impl<R: Real> Mixture<'_, R> {
    /// Returns g, p, P_V(y) and P(y), given the softmax's own loss, −ln P_V(y).
    fn at(&self, position: usize, loss: f64) -> [f64; 4] {
        let (gate, copied) = (self.gate[position].wide(), self.copied[position].wide());
        let own = libm::exp(-loss);
        [gate, copied, own, gate * own + (1.0 - gate) * copied + LEAST]
    }

    /// Returns r = g P_V(y) / P(y).
    pub(super) fn share(&self, position: usize, loss: f64) -> f64 {
        let [gate, _, own, all] = self.at(position, loss);
        gate * own / all
    }
}

/// Computes [`super::linear_softmax_cross_entropy`] for the mixture; ids from O on are words that occur
/// only in the source.
///
/// # Errors
/// See there; [`Error::Value`] for label smoothing, which is not defined here.
pub fn linear_mixture_cross_entropy<R: Real>(
    layer: Linear<'_, R>,
    h: &[R],
    (targets, mixture): (Targets<'_, R>, Mixture<'_, R>),
    gradients: Option<(LinearGradients<'_, R>, MixtureGradients<'_, R>)>,
) -> Result<Loss<R>> {
    let rows = targets.ids.len();
    check_shape(OP, "gate", &[mixture.gate.len()], &[("positions", Some(rows))])?;
    check_shape(OP, "copied", &[mixture.copied.len()], &[("positions", Some(rows))])?;
    if targets.smoothing != 0.0 {
        return Err(Error::Value {
            op: OP,
            argument: "label_smoothing",
            expected: "0 where words are copied".into(),
            got: targets.smoothing.to_string(),
        });
    }
    let targets = Targets { mixture: Some(mixture), ..targets };
    let (linear, mut into) = gradients.unzip();
    let (mut losses, scale) = through::losses(OP, layer, h, targets, linear)?;
    for (i, loss) in losses.iter_mut().enumerate() {
        if !targets.counts(i) {
            if let Some(into) = &mut into {
                (into.gate[i], into.copied[i]) = (R::zero(), R::zero());
            }
            continue;
        }
        let [gate, copied, own, all] = mixture.at(i, loss.wide());
        *loss = R::of(-libm::log(all));
        if let Some(into) = &mut into {
            let weight = targets.weighting.of(i).wide() * scale;
            let given = |d: f64| if weight == 0.0 { R::zero() } else { R::of(d * weight) };
            (into.gate[i], into.copied[i]) = (given((copied - own) / all), given((gate - 1.0) / all));
        }
    }
    Ok(Loss { total: targets.weighting.total(&losses, scale), positions: losses })
}
