//! The number types f32 and f64, and the properties that the kernels need.

use std::sync::atomic::{AtomicU64, Ordering};

use super::cell::Task;
use super::math::{EXP_F32, EXP_F64, Exp};
use super::{Isa, Kernels, isa};

mod sealed {
    /// Restricts the implementations of `Real` to f32 and f64.
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// f32 or f64.
#[allow(private_interfaces, private_bounds)]
pub trait Real: ndarray::NdFloat + Default + sealed::Sealed {
    /// The name of the type in NumPy.
    const NAME: &'static str;
    /// The most negative finite number.
    #[doc(hidden)]
    const LEAST: Self;
    #[doc(hidden)]
    const EXP: Exp<Self>;
    /// Rounds to the nearest number of this type.
    fn of(x: f64) -> Self;
    /// Converts to f64, exactly.
    fn wide(self) -> f64;
    #[doc(hidden)]
    fn round_to_even(self) -> Self;
    /// 2^self, for an integer `self` whose power is a normal number.
    #[doc(hidden)]
    fn power_of_two(self) -> Self;
    /// Numbers in one word that threads exchange.
    #[doc(hidden)]
    const IN_A_WORD: usize = 8 / size_of::<Self>();
    /// Writes numbers to words that other threads read.
    #[doc(hidden)]
    fn to_words(numbers: &[Self], words: &[AtomicU64]);
    /// Reads numbers from words that other threads write.
    #[doc(hidden)]
    fn from_words(words: &[AtomicU64], numbers: &mut [Self]);
    /// Runs a task compiled for an instruction set.
    ///
    /// # Safety
    /// The processor must have the instruction set, and the caller must meet the task's contract.
    #[doc(hidden)]
    unsafe fn run<T: Task<Self>>(isa: Isa, task: T);
    #[doc(hidden)]
    fn kernels_of(isa: Isa) -> &'static Kernels<Self>;
    #[doc(hidden)]
    fn kernels() -> &'static Kernels<Self> {
        Self::kernels_of(isa::current())
    }
}

#[allow(private_interfaces, private_bounds)]
impl Real for f32 {
    const NAME: &'static str = "float32";
    const LEAST: f32 = f32::MIN;
    const EXP: Exp<f32> = EXP_F32;
    fn of(x: f64) -> f32 {
        x as f32
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn round_to_even(self) -> f32 {
        // Adding and subtracting 1.5 · 2^23 leaves no fraction bits; |self| is small here.
        const SHIFT: f32 = 12_582_912.0;
        (self + SHIFT) - SHIFT
    }
    #[inline(always)]
    fn power_of_two(self) -> f32 {
        f32::from_bits((self as i32).wrapping_add(127).wrapping_shl(23) as u32)
    }
    fn to_words(numbers: &[f32], words: &[AtomicU64]) {
        for (two, word) in numbers.chunks(2).zip(words) {
            let high = two.get(1).map_or(0, |x| u64::from(x.to_bits()) << 32);
            word.store(u64::from(two[0].to_bits()) | high, Ordering::Relaxed);
        }
    }
    fn from_words(words: &[AtomicU64], numbers: &mut [f32]) {
        for (two, word) in numbers.chunks_mut(2).zip(words) {
            let word = word.load(Ordering::Relaxed);
            two[0] = f32::from_bits(word as u32);
            if let Some(x) = two.get_mut(1) {
                *x = f32::from_bits((word >> 32) as u32);
            }
        }
    }
    unsafe fn run<T: Task<f32>>(isa: Isa, task: T) {
        // SAFETY: guaranteed by the caller.
        unsafe { isa::run_f32(isa, task) }
    }
    fn kernels_of(isa: Isa) -> &'static Kernels<f32> {
        isa::kernels_f32(isa)
    }
}

#[allow(private_interfaces, private_bounds)]
impl Real for f64 {
    const NAME: &'static str = "float64";
    const LEAST: f64 = f64::MIN;
    const EXP: Exp<f64> = EXP_F64;
    fn of(x: f64) -> f64 {
        x
    }
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn round_to_even(self) -> f64 {
        const SHIFT: f64 = 6_755_399_441_055_744.0;
        (self + SHIFT) - SHIFT
    }
    #[inline(always)]
    fn power_of_two(self) -> f64 {
        f64::from_bits((self as i64).wrapping_add(1023).wrapping_shl(52) as u64)
    }
    fn to_words(numbers: &[f64], words: &[AtomicU64]) {
        for (x, word) in numbers.iter().zip(words) {
            word.store(x.to_bits(), Ordering::Relaxed);
        }
    }
    fn from_words(words: &[AtomicU64], numbers: &mut [f64]) {
        for (x, word) in numbers.iter_mut().zip(words) {
            *x = f64::from_bits(word.load(Ordering::Relaxed));
        }
    }
    unsafe fn run<T: Task<f64>>(isa: Isa, task: T) {
        // SAFETY: guaranteed by the caller.
        unsafe { isa::run_f64(isa, task) }
    }
    fn kernels_of(isa: Isa) -> &'static Kernels<f64> {
        isa::kernels_f64(isa)
    }
}
