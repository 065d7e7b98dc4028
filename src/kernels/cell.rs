//! The elementwise part of a gated cell: formulas on vectors, applied to the rows of a step.
//!
//! A cell states its equations once, generic over [`Vector`], in safe code. This module applies them to rows
//! in memory, compiled for the instruction set in use.

use std::ops::{Add, Mul, Sub};

use super::simd::Simd;
use super::{Kernels, Real, math};

/// A vector of numbers, as used in formulas.
pub trait Vector:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + sealed::Sealed
{
    /// The number x in every lane.
    fn constant(x: f64) -> Self;
    /// tanh, within 2 units in the last place.
    fn tanh(self) -> Self;
    /// σ(x) = 1 / (1 + e^{−x}), within 3 units in the last place.
    fn sigmoid(self) -> Self;
    /// self · y + z, rounded once if the machine has a fused multiply-add.
    fn mul_add(self, y: Self, z: Self) -> Self;
}

/// The step of a gated cell and its derivative, with G pre-activations and S state vectors (h first) per
/// unit.
pub trait Formula<const G: usize, const S: usize>: Sync {
    /// Computes, from the pre-activations a and the previous state, the values kept for the backward pass and
    /// the new state.
    fn step<V: Vector>(&self, a: [V; G], before: [V; S]) -> ([V; G], [V; S]);
    /// Computes, from the kept values, the previous and the new state, and ∂L/∂after, the gradient ∂L/∂a and
    /// the part of ∂L/∂before that does not flow through the pre-activations.
    fn derivative<V: Vector>(
        &self,
        kept: [V; G],
        before: [V; S],
        after: [V; S],
        dafter: [V; S],
    ) -> ([V; G], [V; S]);
}

mod sealed {
    /// Restricts vectors to the kernels, so that a formula never runs on a processor without their
    /// instruction set.
    pub trait Sealed {}
}

/// A vector of an instruction set. Created only in kernels compiled for that instruction set.
#[derive(Clone, Copy)]
struct Lanes<S>(S);

impl<S> sealed::Sealed for Lanes<S> {}

impl<S: Simd> Add for Lanes<S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, y: Self) -> Self {
        // SAFETY: a `Lanes` exists only if the processor has the instruction set.
        Self(unsafe { self.0.add(y.0) })
    }
}

impl<S: Simd> Sub for Lanes<S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { self.0.sub(y.0) })
    }
}

impl<S: Simd> Mul for Lanes<S> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { self.0.mul(y.0) })
    }
}

impl<S: Simd> Vector for Lanes<S> {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        // SAFETY: only kernels compiled for the instruction set call formulas.
        Self(unsafe { S::constant(x) })
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { math::tanh(self.0) })
    }
    #[inline(always)]
    fn sigmoid(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { math::sigmoid(self.0) })
    }
    #[inline(always)]
    fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { self.0.mul_add(y.0, z.0) })
    }
}

/// A computation to be compiled for every instruction set.
pub(super) trait Task<R> {
    /// Runs the task.
    ///
    /// # Safety
    /// The processor must have S's instruction set, and the caller must meet the task's own contract.
    unsafe fn run<S: Simd<Number = R>>(self);
}

/// One forward step of some rows: replaces the pre-activations `sums` (rows, G·H) by the kept values.
struct Step<'a, R, F, const G: usize, const S: usize> {
    formula: &'a F,
    hidden: usize,
    rows: usize,
    sums: *mut R,
    before: [*const R; S],
    after: [*mut R; S],
}

impl<R: Real, F: Formula<G, S>, const G: usize, const S: usize> Task<R> for Step<'_, R, F, G, S> {
    #[inline(always)]
    unsafe fn run<V: Simd<Number = R>>(self) {
        for row in 0..self.rows {
            for j in (0..self.hidden).step_by(V::LANES) {
                let (at, n) = (row * self.hidden + j, self.hidden - j);
                // SAFETY: `step` has checked the lengths; of the last vector, only the first n lanes are
                // accessed.
                unsafe {
                    let sums = self.sums.add(row * G * self.hidden + j);
                    let a: [Lanes<V>; G] = load_strided(sums.cast_const(), self.hidden, n);
                    let before = load_each(self.before, at, n);
                    let (kept, after) = self.formula.step(a, before);
                    store_strided(kept, sums, self.hidden, n);
                    store_each(after, self.after, at, n);
                }
            }
        }
    }
}

/// One backward step of some rows: replaces the gradients `d` (rows, H each) in place, as [`derivative`]
/// documents.
struct Derivative<'a, R, F, const G: usize, const S: usize> {
    formula: &'a F,
    hidden: usize,
    rows: usize,
    kept: *const R,
    before: [*const R; S],
    after: [*const R; S],
    d: [*mut R; S],
    da: *mut R,
}

impl<R: Real, F: Formula<G, S>, const G: usize, const S: usize> Task<R> for Derivative<'_, R, F, G, S> {
    #[inline(always)]
    unsafe fn run<V: Simd<Number = R>>(self) {
        for row in 0..self.rows {
            for j in (0..self.hidden).step_by(V::LANES) {
                let (at, n) = (row * self.hidden + j, self.hidden - j);
                // SAFETY: as in `Step`.
                unsafe {
                    let place = row * G * self.hidden + j;
                    let kept: [Lanes<V>; G] = load_strided(self.kept.add(place), self.hidden, n);
                    let (before, after) = (load_each(self.before, at, n), load_each(self.after, at, n));
                    let d = load_each(self.d.map(<*mut R>::cast_const), at, n);
                    let (da, dbefore) = self.formula.derivative(kept, before, after, d);
                    store_strided(da, self.da.add(place), self.hidden, n);
                    store_each(dbefore, self.d, at, n);
                }
            }
        }
    }
}

#[inline(always)]
unsafe fn load<V: Simd>(p: *const V::Number, n: usize) -> Lanes<V> {
    // SAFETY: the caller guarantees min(n, LANES) numbers at p, and the instruction set.
    unsafe { Lanes(if n >= V::LANES { V::load(p) } else { V::load_first(p, n) }) }
}

#[inline(always)]
unsafe fn store<V: Simd>(x: Lanes<V>, p: *mut V::Number, n: usize) {
    // SAFETY: as in `load`.
    unsafe { if n >= V::LANES { x.0.store(p) } else { x.0.store_first(p, n) } }
}

#[inline(always)]
unsafe fn load_strided<V: Simd, const G: usize>(
    p: *const V::Number,
    stride: usize,
    n: usize,
) -> [Lanes<V>; G] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut x = [Lanes(V::constant(0.0)); G];
        for (g, x) in x.iter_mut().enumerate() {
            *x = load(p.add(g * stride), n);
        }
        x
    }
}

#[inline(always)]
unsafe fn store_strided<V: Simd, const G: usize>(
    x: [Lanes<V>; G],
    p: *mut V::Number,
    stride: usize,
    n: usize,
) {
    for (g, x) in x.into_iter().enumerate() {
        // SAFETY: guaranteed by the caller.
        unsafe { store(x, p.add(g * stride), n) }
    }
}

#[inline(always)]
unsafe fn load_each<V: Simd, const S: usize>(p: [*const V::Number; S], at: usize, n: usize) -> [Lanes<V>; S] {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let mut x = [Lanes(V::constant(0.0)); S];
        for (x, p) in x.iter_mut().zip(p) {
            *x = load(p.add(at), n);
        }
        x
    }
}

#[inline(always)]
unsafe fn store_each<V: Simd, const S: usize>(x: [Lanes<V>; S], p: [*mut V::Number; S], at: usize, n: usize) {
    for (x, p) in x.into_iter().zip(p) {
        // SAFETY: guaranteed by the caller.
        unsafe { store(x, p.add(at), n) }
    }
}

/// Performs one forward step: replaces the pre-activations `sums` (rows, G·H) by the values that the formula
/// keeps, and writes the new state to `after` (rows, H each).
///
/// # Panics
/// If a slice has too few rows.
pub fn step<R: Real, F: Formula<G, S>, const G: usize, const S: usize>(
    formula: &F,
    hidden: usize,
    sums: &mut [R],
    before: [&[R]; S],
    after: [&mut [R]; S],
) {
    step_on(R::kernels(), formula, hidden, sums, before, after);
}

pub(super) fn step_on<R: Real, F: Formula<G, S>, const G: usize, const S: usize>(
    kernels: &'static Kernels<R>,
    formula: &F,
    hidden: usize,
    sums: &mut [R],
    before: [&[R]; S],
    after: [&mut [R]; S],
) {
    let rows = sums.len() / (G * hidden).max(1);
    let fits = |len: usize| len >= rows * hidden;
    assert!(before.iter().all(|x| fits(x.len())) && after.iter().all(|x| fits(x.len())), "too few rows");
    let task = Step {
        formula,
        hidden,
        rows,
        sums: sums.as_mut_ptr(),
        before: before.map(<[R]>::as_ptr),
        after: after.map(<[R]>::as_mut_ptr),
    };
    // SAFETY: the slices hold the rows, as asserted, and those that change are borrowed mutably; the
    // processor has the kernels' instruction set.
    unsafe { R::run(kernels.isa, task) }
}

/// Performs one backward step. `d` (rows, H each) holds ∂L/∂after and is replaced by the part of ∂L/∂before
/// that does not flow through the pre-activations; ∂L/∂a is written to `da` (rows, G·H).
///
/// # Panics
/// If a slice has too few rows.
pub fn derivative<R: Real, F: Formula<G, S>, const G: usize, const S: usize>(
    formula: &F,
    hidden: usize,
    kept: &[R],
    states: ([&[R]; S], [&[R]; S]),
    d: [&mut [R]; S],
    da: &mut [R],
) {
    derivative_on(R::kernels(), formula, hidden, kept, states, d, da);
}

pub(super) fn derivative_on<R: Real, F: Formula<G, S>, const G: usize, const S: usize>(
    kernels: &'static Kernels<R>,
    formula: &F,
    hidden: usize,
    kept: &[R],
    (before, after): ([&[R]; S], [&[R]; S]),
    d: [&mut [R]; S],
    da: &mut [R],
) {
    let rows = da.len() / (G * hidden).max(1);
    let fits = |len: usize| len >= rows * hidden;
    assert!(kept.len() >= rows * G * hidden && d.iter().all(|x| fits(x.len())), "too few rows");
    assert!(before.iter().chain(&after).all(|x| fits(x.len())), "too few rows");
    let task = Derivative {
        formula,
        hidden,
        rows,
        kept: kept.as_ptr(),
        before: before.map(<[R]>::as_ptr),
        after: after.map(<[R]>::as_ptr),
        d: d.map(<[R]>::as_mut_ptr),
        da: da.as_mut_ptr(),
    };
    // SAFETY: as in `step`.
    unsafe { R::run(kernels.isa, task) }
}
