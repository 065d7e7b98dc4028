//! The nonlinearities f of the recurrence, and their derivatives written in terms of h = f(a).

use super::Real;

/// A nonlinearity, applied to each number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// tanh a; f′ = 1 − h².
    Tanh,
    /// max(0, a); f′ = 1 where h > 0.
    Relu,
    /// σ(a) = 1 / (1 + e^{−a}); f′ = h (1 − h).
    Sigmoid,
    /// a; f′ = 1.
    Identity,
    /// a clamped to 0..1 (the unit of Siegelmann and Sontag's theorem); f′ = 1 where 0 < h < 1.
    SaturatedLinear,
}

impl Activation {
    /// Every one.
    pub const ALL: [Activation; 5] = [
        Activation::Tanh,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Identity,
        Activation::SaturatedLinear,
    ];

    /// Its name for Python and for files.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Identity => "identity",
            Activation::SaturatedLinear => "saturated_linear",
        }
    }

    /// The one of that name.
    pub fn from_name(name: &str) -> Option<Activation> {
        Activation::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// h ← f(a), in place.
pub fn activate<R: Real>(activation: Activation, a: &mut [R]) {
    // SAFETY: the table in use is one of the processor's; the slice is its own range.
    unsafe { (R::kernels().activate)(activation, a) }
}

/// da ← dh ⊙ f′(a), in place, given h = f(a).
pub fn differentiate<R: Real>(activation: Activation, h: &[R], dh: &mut [R]) {
    assert_eq!(h.len(), dh.len(), "h and dh differ in length");
    // SAFETY: the table in use is one of the processor's; the slices are equally long.
    unsafe { (R::kernels().differentiate)(activation, h, dh) }
}

/// x ← e^{x − max x} in place; gives (max x, Σ e^{x − max x}), from which softmax and log-sum-exp follow.
pub fn exponentials<R: Real>(x: &mut [R]) -> (R, R) {
    // SAFETY: the table in use is one of the processor's; the slice is its own range.
    unsafe { (R::kernels().exponentials)(x) }
}
