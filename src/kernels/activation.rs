//! The nonlinearities f of the recurrence, their derivatives in terms of h = f(a), and related elementwise
//! kernels.

use super::Real;

/// An elementwise nonlinearity.
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
    /// All nonlinearities.
    pub const ALL: [Activation; 5] = [
        Activation::Tanh,
        Activation::Relu,
        Activation::Sigmoid,
        Activation::Identity,
        Activation::SaturatedLinear,
    ];

    /// Its name in Python and in files.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Identity => "identity",
            Activation::SaturatedLinear => "saturated_linear",
        }
    }

    /// Returns the nonlinearity with the given name.
    pub fn from_name(name: &str) -> Option<Activation> {
        Activation::ALL.into_iter().find(|a| a.name() == name)
    }
}

/// Computes h ← f(a) in place.
pub fn activate<R: Real>(activation: Activation, a: &mut [R]) {
    // SAFETY: the processor has the instruction set of the table in use.
    unsafe { (R::kernels().activate)(activation, a) }
}

/// Computes da ← dh ⊙ f′(a) in place, given h = f(a).
pub fn differentiate<R: Real>(activation: Activation, h: &[R], dh: &mut [R]) {
    assert_eq!(h.len(), dh.len(), "h and dh differ in length");
    // SAFETY: the processor has the instruction set of the table in use; the slices have equal lengths.
    unsafe { (R::kernels().differentiate)(activation, h, dh) }
}

/// Computes x ← e^{x − max x} in place. Returns (max x, Σ e^{x − max x}), from which softmax and log-sum-exp
/// follow.
pub fn exponentials<R: Real>(x: &mut [R]) -> (R, R) {
    // SAFETY: the processor has the instruction set of the table in use.
    unsafe { (R::kernels().exponentials)(x) }
}

/// For each column of the matrix x (rows, `most.len()`), computes most ← max x, x ← e^{x − most} and
/// sums ← Σ e^{x − most}.
///
/// # Panics
/// If x does not consist of whole rows, or `sums` and `most` differ in length.
pub fn column_exponentials<R: Real>(x: &mut [R], most: &mut [R], sums: &mut [R]) {
    let columns = most.len();
    assert!(sums.len() == columns && columns > 0 && x.len().is_multiple_of(columns), "sizes do not match");
    // SAFETY: the processor has the instruction set of the table in use; the sizes match.
    unsafe { (R::kernels().column_exponentials)(x, columns, most, sums) }
}

/// Computes x ← x ⊙ factor + shift in place. Returns Σ x.
///
/// # Panics
/// If the slices differ in length.
pub fn scale_shift<R: Real>(x: &mut [R], factor: &[R], shift: &[R]) -> R {
    assert!(x.len() == factor.len() && x.len() == shift.len(), "the slices differ in length");
    // SAFETY: the processor has the instruction set of the table in use; the slices have equal lengths.
    unsafe { (R::kernels().scale_shift)(x, factor, shift) }
}
