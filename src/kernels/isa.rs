//! Selection of the instruction set, once, at first use.

use std::sync::OnceLock;

use super::cell::Task;
#[cfg(target_arch = "aarch64")]
use super::neon;
use super::{Kernels, scalar};
#[cfg(target_arch = "x86_64")]
use super::{avx2, avx512};
use crate::error::{Error, Result};

/// An instruction set with kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Portable Rust, on every machine.
    Scalar,
    /// aarch64.
    Neon,
    /// x86-64 with AVX2 and FMA.
    Avx2,
    /// x86-64 with AVX-512F and DQ.
    Avx512,
}

impl Isa {
    const ALL: [Isa; 4] = [Isa::Scalar, Isa::Neon, Isa::Avx2, Isa::Avx512];

    /// Returns its name in `RNNRS_ISA` and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Neon => "neon",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    fn is_here(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(target_arch = "aarch64")]
            Isa::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => {
                Isa::Avx2.is_here()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512dq")
            }
            _ => false,
        }
    }
}

/// Returns the instruction sets of this machine that have kernels, from the simplest to the best.
pub fn supported() -> Vec<Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_here()).collect()
}

/// Returns the instruction set in use: the one that `RNNRS_ISA` names, else the best of this machine.
///
/// # Errors
/// [`Error::Value`] if the variable names an unknown instruction set or one that this machine lacks.
pub fn instruction_set() -> Result<Isa> {
    static CHOSEN: OnceLock<Result<Isa>> = OnceLock::new();
    CHOSEN.get_or_init(|| choose(std::env::var("RNNRS_ISA").ok().as_deref())).clone()
}

fn choose(wanted: Option<&str>) -> Result<Isa> {
    let here = supported();
    match wanted {
        None | Some("") => Ok(here.last().copied().unwrap_or(Isa::Scalar)),
        Some(name) => here.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| Error::Value {
            op: "rnnrs",
            argument: "RNNRS_ISA",
            expected: format!(
                "an instruction set of this machine ({})",
                here.iter().map(|i| i.name()).collect::<Vec<_>>().join(", ")
            ),
            got: format!("\"{name}\""),
        }),
    }
}

/// Returns the instruction set that the safe functions use. An invalid `RNNRS_ISA` selects [`Isa::Scalar`]
/// here; to get an error instead, call [`instruction_set`] first, as the Python module does on import.
pub(super) fn current() -> Isa {
    instruction_set().unwrap_or(Isa::Scalar)
}

/// Runs a task compiled for an instruction set, in f32.
///
/// # Safety
/// The processor must have the instruction set, and the caller must meet the task's contract.
pub(super) unsafe fn run_f32<T: Task<f32>>(isa: Isa, task: T) {
    // SAFETY, for every arm: guaranteed by the caller.
    match isa {
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Isa::Neon => unsafe { neon::run_f32(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2::run_f32(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx512 => unsafe { avx512::run_f32(task) },
        // SAFETY: as above.
        _ => unsafe { scalar::run_f32(task) },
    }
}

/// Runs a task compiled for an instruction set, in f64.
///
/// # Safety
/// As [`run_f32`].
pub(super) unsafe fn run_f64<T: Task<f64>>(isa: Isa, task: T) {
    // SAFETY, for every arm: as in `run_f32`.
    match isa {
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        Isa::Neon => unsafe { neon::run_f64(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { avx2::run_f64(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx512 => unsafe { avx512::run_f64(task) },
        // SAFETY: as above.
        _ => unsafe { scalar::run_f64(task) },
    }
}

/// Returns the kernels of f32.
pub(super) fn kernels_f32(isa: Isa) -> &'static Kernels<f32> {
    match isa {
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => &neon::F32,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &avx2::F32,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &avx512::F32,
        _ => &scalar::F32,
    }
}

/// Returns the kernels of f64.
pub(super) fn kernels_f64(isa: Isa) -> &'static Kernels<f64> {
    match isa {
        #[cfg(target_arch = "aarch64")]
        Isa::Neon => &neon::F64,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => &avx2::F64,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => &avx512::F64,
        _ => &scalar::F64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_forces_an_instruction_set() {
        assert_eq!(choose(Some("scalar")), Ok(Isa::Scalar));
        assert_eq!(choose(None), Ok(*supported().last().unwrap()));
        assert_eq!(choose(Some("")), choose(None));
    }

    #[test]
    fn an_instruction_set_that_is_not_here_is_refused() {
        // A nonexistent one, and those of the other architecture.
        let other: &[&str] = if cfg!(target_arch = "aarch64") { &["avx2", "avx512"] } else { &["neon"] };
        for name in other.iter().chain(&["sve9"]) {
            let message = choose(Some(name)).unwrap_err().to_string();
            assert!(
                message.contains("RNNRS_ISA") && message.contains("scalar") && message.contains(name),
                "{message}"
            );
        }
    }
}
