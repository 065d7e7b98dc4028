//! Convolution in two dimensions: y_bij = f(b + Σ_uv K_uvᵀ x_b,(i·s + u − p),(j·s + v − p)), pictures x (B, Y, X, I) with the
//! channels last, kernel K (kernel height, kernel width, I, O), stride s and padding p with zeros, each along Y and X.
//!
//! A window of a picture is as many runs of numbers as the kernel is high, since channels stand side by side. So the rows of
//! the matrix product y = (windows) · K are read from the picture where they lie; a copy is made only of some lines at a time,
//! for the zeros around them (`correlate.rs`). The way back to x is a correlation of dy with the kernel turned around, one
//! for each phase of the stride; dK is a sum of outer products of windows and dy (`weights.rs`).

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

/// A layer's sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Height and width of the kernel, at least 1.
    pub kernel: Pair,
    /// From one window to the next, at least 1.
    pub stride: Pair,
    /// Zeros on each side of a picture.
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
    /// Height and width.
    pub size: Pair,
}

/// How many windows there are along an axis, or None where not even one fits.
pub(crate) fn windows(size: usize, kernel: usize, stride: usize, padding: usize) -> Option<usize> {
    let room = size.saturating_add(padding.saturating_mul(2)).checked_sub(kernel)?;
    Some(room / stride.max(1) + 1)
}

/// Height and width of what windows over pictures give.
///
/// # Errors
/// [`Error::Shape`] if a window is larger than a picture and its padding; [`Error::Memory`] for more padding than can be
/// addressed.
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
    /// Height and width of y for pictures of a size, and the same layer with a stride that is no longer than it can matter.
    ///
    /// # Errors
    /// [`Error::Shape`] if the kernel is larger than the picture and its padding.
    pub fn fit(mut self, op: &'static str, (height, width): Pair) -> Result<(Shape, Pair)> {
        let size = output_size(op, (height, width), self.kernel, self.stride, self.padding)?;
        self.stride.0 = self.stride.0.min(height + 2 * self.padding.0 + 1);
        self.stride.1 = self.stride.1.min(width + 2 * self.padding.1 + 1);
        Ok((self, size))
    }
}

/// y (B, Y′, X′, O) = f(b + windows · K).
///
/// # Errors
/// [`Error::Shape`] if the kernel does not fit into the pictures; [`Error::Memory`]; [`Error::Interrupted`].
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

/// What the way back needs of the way there.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (B, Y, X, I)
    pub x: &'a [R],
    /// y (B, Y′, X′, O); not looked at if f is the identity.
    pub y: &'a [R],
    /// f
    pub activation: Activation,
}

/// dK += Σ windowᵀ da, db += Σ da with da = dy ⊙ f′; gives dx (B, Y, X, I) where it is wanted.
///
/// # Errors
/// As [`forward`].
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

/// One axis of a phase: pixels of x that stand at the same place between windows, and so see the same part of the kernel.
struct Axis {
    /// Places of the kernel, from the last to the first.
    places: Vec<usize>,
    first: usize,
    count: usize,
    /// Where in dy the windows that saw the first pixel begin.
    origin: isize,
}

/// The phases of an axis: x_i meets K_u in window (i + p − u) / s, where that is a whole number.
fn axis(size: usize, kernel: usize, stride: usize, padding: usize) -> Vec<Axis> {
    let phase = |phase: usize| {
        let places: Vec<usize> = (phase..kernel).step_by(stride).rev().collect();
        // The first i from 0 on with (i + p) mod s = phase.
        let first = (phase + stride - padding % stride) % stride;
        let last_window = ((first + padding - phase) / stride) as isize;
        let count = if first < size { (size - first).div_ceil(stride) } else { 0 };
        Axis { origin: last_window + 1 - places.len() as isize, places, first, count }
    };
    (0..stride.min(kernel)).map(phase).filter(|axis| axis.count > 0).collect()
}

/// dx, phase by phase; what no phase reaches has no window, and a gradient of 0.
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
