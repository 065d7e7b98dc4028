//! Two-dimensional convolution: y_bij = f(b + Σ_uv K_uvᵀ x_b,(i·s + u − p),(j·s + v − p)). The pictures x are
//! (B, Y, X, I), channels last; the kernel K is (kernel height, kernel width, I, O); stride s and zero
//! padding p are given along Y and X.
//!
//! Since channels are contiguous, a window consists of one run of values per kernel line. The rows of
//! the matrix product y = (windows) · K are therefore read from the picture in place. Only bands of a
//! few lines are copied, to add the zeros around the picture (`correlate.rs`). dx is a correlation of
//! dy with the rotated kernel, one per phase of the stride. dK is a sum of outer products of windows
//! and dy (`weights.rs`).

mod band;
mod correlate;
mod weights;

use crate::error::{Error, Result};
use crate::kernels::{Activation, Packed, Real, Start};
use crate::parallel;
use band::Source;
use correlate::{Epilogue, Phase, correlate};

/// (along Y, along X).
pub type Pair = (usize, usize);

/// The sizes of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Height and width of the kernel, at least 1.
    pub kernel: Pair,
    /// Distance from one window to the next, at least 1.
    pub stride: Pair,
    /// Zeros added on each side of a picture.
    pub padding: Pair,
    /// I
    pub inputs: usize,
    /// O
    pub outputs: usize,
}

/// A batch of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pictures {
    /// B
    pub batch: usize,
    /// Height and width
    pub size: Pair,
}

/// Returns the number of windows along an axis, or None if none fits.
pub(crate) fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let room = size.saturating_add(padding.saturating_mul(2)).checked_sub(kernel)?;
    Some(room / stride.max(1) + 1)
}

/// Returns the height and width of the result of windows over pictures.
///
/// # Errors
/// [`Error::Shape`] if a window is larger than the padded picture; [`Error::Memory`] if the padding exceeds
/// the address space.
pub(crate) fn output_size(
    op: &'static str,
    (height, width): Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
) -> Result<Pair> {
    if padding.0.max(padding.1) > usize::MAX >> 8 {
        let wanted = format!("a padding of {padding:?}, more than can be addressed");
        return Err(Error::Memory { op, wanted, available: u64::MAX });
    }
    let y = windows(height, kernel.0, stride.0, padding.0);
    let x = windows(width, kernel.1, stride.1, padding.1);
    if let (Some(y), Some(x)) = (y, x) {
        return Ok((y, x));
    }
    let least = |kernel: usize, padding: usize| kernel.saturating_sub(2 * padding);
    let (least_y, least_x) = (least(kernel.0, padding.0), least(kernel.1, padding.1));
    Err(Error::Shape {
        op,
        argument: "x",
        expected: format!(
            "pictures (Y, X) of at least ({least_y}, {least_x}), for a kernel of {kernel:?} and a padding of {padding:?}"
        ),
        got: format!("({height}, {width})"),
    })
}

impl Shape {
    /// Returns the layer with its stride clamped to the longest one that matters, and the height and width of
    /// y for pictures of this size.
    ///
    /// # Errors
    /// [`Error::Shape`] if the kernel is larger than the padded picture.
    pub fn fit(mut self, op: &'static str, (height, width): Pair) -> Result<(Shape, Pair)> {
        let size = output_size(op, (height, width), self.kernel, self.stride, self.padding)?;
        self.stride.0 = self.stride.0.min(height + 2 * self.padding.0 + 1);
        self.stride.1 = self.stride.1.min(width + 2 * self.padding.1 + 1);
        Ok((self, size))
    }
}

/// Computes y (B, Y′, X′, O) = f(b + windows · K).
///
/// # Errors
/// [`Error::Shape`] if the kernel does not fit into the padded pictures; [`Error::Memory`];
/// [`Error::Interrupted`].
pub fn forward<R: Real>(
    shape: Shape,
    pictures: Pictures,
    x: &[R],
    (k, b): (&[R], &[R]),
    activation: Activation,
) -> Result<Vec<R>> {
    const OP: &str = "Conv2d.forward";
    let (shape, size) = shape.fit(OP, pictures.size)?;
    let mut y = parallel::scratch(OP, &[pictures.batch, size.0, size.1, shape.outputs])?;
    let depth = shape.kernel.0 * shape.kernel.1 * shape.inputs;
    let phase = Phase {
        packed: Packed::of(OP, k, depth, shape.outputs)?,
        taps: shape.kernel,
        first: (0, 0),
        step: (1, 1),
        count: size,
        origin: (-(shape.padding.0 as isize), -(shape.padding.1 as isize)),
        stride: shape.stride,
    };
    let from = Source { numbers: x, size: pictures.size, channels: shape.inputs, through: None };
    correlate(OP, &[phase], from, Epilogue { start: Start::Row(b), activation }, (&mut y, size))?;
    Ok(y)
}

/// The forward pass's values that the backward pass needs.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (B, Y, X, I)
    pub x: &'a [R],
    /// y (B, Y′, X′, O); not read if f is the identity
    pub y: &'a [R],
    /// f
    pub activation: Activation,
}

/// Adds dK += Σ windowᵀ da and db += Σ da, with da = dy ⊙ f′; returns dx (B, Y, X, I) if `need_dx`.
///
/// # Errors
/// See [`forward`].
pub fn backward<R: Real>(
    shape: Shape,
    pictures: Pictures,
    passed: Passed<'_, R>,
    k: &[R],
    dy: &[R],
    into: (&mut [R], &mut [R]),
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    const OP: &str = "Conv2d.backward";
    let (shape, size) = shape.fit(OP, pictures.size)?;
    let through = (passed.activation != Activation::Identity).then_some((passed.activation, passed.y));
    let da = Source { numbers: dy, size, channels: shape.outputs, through };
    let x = Source { numbers: passed.x, size: pictures.size, channels: shape.inputs, through: None };
    weights::accumulate(OP, shape, x, da, into)?;
    if !need_dx {
        return Ok(None);
    }
    input_gradient(OP, shape, pictures, k, da).map(Some)
}

/// One axis of a phase: the pixels of x that have the same position relative to the windows, and are
/// therefore covered by the same kernel taps.
struct Axis {
    /// Kernel taps, from the last to the first.
    places: Vec<usize>,
    first: usize,
    count: usize,
    /// Index in dy of the first window that covers the first pixel; may be negative.
    origin: isize,
}

/// Returns the phases of an axis: x_i meets K_u in window (i + p − u) / s, if that is an integer.
fn axis(size: usize, kernel: usize, stride: usize, padding: usize) -> Vec<Axis> {
    let phase = |phase: usize| {
        let places: Vec<usize> = (phase..kernel).step_by(stride).rev().collect();
        // The smallest i ≥ 0 with (i + p) mod s = phase.
        let first = (phase + stride - padding % stride) % stride;
        let last_window = ((first + padding - phase) / stride) as isize;
        let count = if first < size { (size - first).div_ceil(stride) } else { 0 };
        Axis { origin: last_window + 1 - places.len() as isize, places, first, count }
    };
    (0..stride.min(kernel)).map(phase).filter(|axis| axis.count > 0).collect()
}

/// Computes dx, phase by phase. A pixel that no phase reaches is in no window and has a gradient of 0.
fn input_gradient<R: Real>(
    op: &'static str,
    shape: Shape,
    pictures: Pictures,
    k: &[R],
    da: Source<'_, R>,
) -> Result<Vec<R>> {
    let (height, width) = pictures.size;
    let sizes = [pictures.batch, height, width, shape.inputs];
    let reached = shape.stride.0 <= shape.kernel.0 && shape.stride.1 <= shape.kernel.1;
    let mut dx = if reached { parallel::scratch(op, &sizes)? } else { parallel::zeros(op, &sizes)? };
    let across = axis(width, shape.kernel.1, shape.stride.1, shape.padding.1);
    let mut phases = Vec::new();
    for y in axis(height, shape.kernel.0, shape.stride.0, shape.padding.0) {
        for x in &across {
            let block = shape.inputs * shape.outputs;
            let starts: Vec<usize> = y
                .places
                .iter()
                .flat_map(|u| x.places.iter().map(move |v| (u * shape.kernel.1 + v) * block))
                .collect();
            phases.push(Phase {
                packed: Packed::transposed_blocks(op, k, &starts, (shape.inputs, shape.outputs))?,
                taps: (y.places.len(), x.places.len()),
                first: (y.first, x.first),
                step: shape.stride,
                count: (y.count, x.count),
                origin: (y.origin, x.origin),
                stride: (1, 1),
            });
        }
    }
    let epilogue = Epilogue { start: Start::Zero, activation: Activation::Identity };
    correlate(op, &phases, da, epilogue, (&mut dx, pictures.size))?;
    Ok(dx)
}
