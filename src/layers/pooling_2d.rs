//! Two-dimensional pooling: y_bij = the maximum or the mean of the pixels in window (i, j) of picture b, per
//! channel. The pictures x are (B, Y, X, C), channels last. Padding is not part of a window: a mean covers
//! only actual pixels.

use std::ops::Range;

use super::conv::{Pair, Pictures, output_size};
use crate::error::{Error, Result};
use crate::kernels::Real;
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 15;

/// The reduction of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The maximum; NaN counts as the largest value
    Max,
    /// The mean
    Mean,
}

/// The geometry of the windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Height and width, at least 1
    pub kernel: Pair,
    /// Distance from one window to the next, at least 1
    pub stride: Pair,
    /// Padding on each side of a picture; at most half the kernel, so that every window contains a pixel
    pub padding: Pair,
}

impl Frame {
    /// Returns the height and width of y for pictures of this size.
    ///
    /// # Errors
    /// [`Error::Shape`] if a window is larger than the padded picture; [`Error::Value`] for padding of more
    /// than half the kernel.
    pub fn output(self, op: &'static str, size: Pair) -> Result<Pair> {
        if self.padding.0 > self.kernel.0 / 2 || self.padding.1 > self.kernel.1 / 2 {
            return Err(Error::Value {
                op,
                argument: "padding",
                expected: format!("at most half the kernel of {:?}", self.kernel),
                got: format!("{:?}", self.padding),
            });
        }
        output_size(op, size, self.kernel, self.stride, self.padding)
    }

    /// Returns the pixels of window (i, j) in a picture of this size.
    fn pixels(self, (i, j): Pair, (height, width): Pair) -> (Range<usize>, Range<usize>) {
        let range = |at: usize, stride: usize, padding: usize, kernel: usize, size: usize| {
            let begin = at * stride;
            begin.saturating_sub(padding).min(size)..(begin + kernel).saturating_sub(padding).min(size)
        };
        (
            range(i, self.stride.0, self.padding.0, self.kernel.0, height),
            range(j, self.stride.1, self.padding.1, self.kernel.1, width),
        )
    }
}

/// Computes y (B, Y′, X′, C) from x (B, Y, X, C). A window in an empty picture has y = 0.
///
/// # Errors
/// See [`Frame::output`]; [`Error::Memory`]; [`Error::Interrupted`].
pub fn forward<R: Real>(
    op: &'static str,
    pool: Pool,
    frame: Frame,
    pictures: Pictures,
    x: &[R],
    channels: usize,
) -> Result<Vec<R>> {
    let size = frame.output(op, pictures.size)?;
    let mut y = parallel::scratch(op, &[pictures.batch, size.0, size.1, channels])?;
    let line = size.1 * channels;
    if y.is_empty() {
        return Ok(y);
    }
    let (width, pixels) = (pictures.size.1, pictures.size.0 * pictures.size.1);
    let lines = pictures.batch * size.0;
    let each = frame.kernel.0.saturating_mul(frame.kernel.1).saturating_mul(line);
    let ranges = parallel::ranges(lines, GRAIN / each + 1)?;
    let parts = parallel::split_rows(&mut y, &ranges, line).into_iter().zip(ranges).collect();
    parallel::for_each(parts, |(y, range): (&mut [R], Range<usize>), stop| {
        for (at, y) in range.zip(y.chunks_exact_mut(line)) {
            let picture = at / size.0 * pixels;
            for (j, y) in y.chunks_exact_mut(channels).enumerate() {
                let (down, across) = frame.pixels((at % size.0, j), pictures.size);
                let row = |v: usize| {
                    &x[(picture + v * width + across.start) * channels..][..across.len() * channels]
                };
                match pool {
                    Pool::Max => largest(down.map(row), y),
                    Pool::Mean => {
                        let count = down.len() * across.len();
                        mean(down.map(row), count, y);
                    }
                }
            }
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok(y)
}

/// Computes y = max over the pixels of the rows.
fn largest<'a, R: Real>(rows: impl Iterator<Item = &'a [R]>, y: &mut [R]) {
    let (channels, mut begun) = (y.len(), false);
    y.fill(R::zero());
    for pixel in rows.flat_map(|row| row.chunks_exact(channels)) {
        if !begun {
            y.copy_from_slice(pixel);
            begun = true;
            continue;
        }
        // Not `!(x <= y)`: a NaN that is already in y must stay. Both branches select plain values, so the
        // loop can be vectorized.
        for (y, &x) in y.iter_mut().zip(pixel) {
            let larger = x > *y || x.is_nan();
            *y = if larger { x } else { *y };
        }
    }
}

/// Computes y = mean over the pixels of the rows.
fn mean<'a, R: Real>(rows: impl Iterator<Item = &'a [R]>, count: usize, y: &mut [R]) {
    let channels = y.len();
    y.fill(R::zero());
    for pixel in rows.flat_map(|row| row.chunks_exact(channels)) {
        y.iter_mut().zip(pixel).for_each(|(y, &x)| *y += x);
    }
    let share = R::of(1.0 / count.max(1) as f64);
    y.iter_mut().for_each(|y| *y *= share);
}

/// The forward pass's values that the backward pass of the maximum needs; the mean needs neither.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (B, Y, X, C)
    pub x: &'a [R],
    /// y (B, Y′, X′, C)
    pub y: &'a [R],
}

/// Computes dx (B, Y, X, C) from dy. For the maximum (if `passed` is given), dy goes to the first pixel of
/// the window that equals y; for the mean, each pixel gets an equal share of dy.
///
/// # Errors
/// See [`forward`].
pub fn backward<R: Real>(
    op: &'static str,
    frame: Frame,
    pictures: Pictures,
    passed: Option<Passed<'_, R>>,
    dy: &[R],
    channels: usize,
) -> Result<Vec<R>> {
    let size = frame.output(op, pictures.size)?;
    let pixels = pictures.size.0 * pictures.size.1;
    let mut dx = parallel::scratch(op, &[pictures.batch, pictures.size.0, pictures.size.1, channels])?;
    if dx.is_empty() {
        return Ok(dx);
    }
    let ranges = parallel::ranges(pictures.batch, GRAIN / (pixels * channels) + 1)?;
    let parts = parallel::split_rows(&mut dx, &ranges, pixels * channels).into_iter().zip(ranges).collect();
    parallel::for_each(parts, |(dx, range): (&mut [R], Range<usize>), stop| {
        let mut left = parallel::zeros(op, &[channels])?;
        for (picture, dx) in range.zip(dx.chunks_exact_mut(pixels * channels)) {
            dx.fill(R::zero());
            for i in 0..size.0 {
                for j in 0..size.1 {
                    let at = ((picture * size.0 + i) * size.1 + j) * channels;
                    let (down, across) = frame.pixels((i, j), pictures.size);
                    let places = down.flat_map(|v| across.clone().map(move |u| v * pictures.size.1 + u));
                    left.copy_from_slice(&dy[at..][..channels]);
                    match passed {
                        Some(Passed { x, y }) => {
                            let x = &x[picture * pixels * channels..][..pixels * channels];
                            to_largest(places, x, &y[at..][..channels], &mut left, dx);
                        }
                        None => to_all(places, &mut left, dx),
                    }
                }
                if stop.requested() {
                    return Ok(());
                }
            }
        }
        Ok(())
    })?;
    Ok(dx)
}

/// Adds to dx what is left of dy, at the first pixel that equals y.
fn to_largest<R: Real>(places: impl Iterator<Item = usize>, x: &[R], y: &[R], left: &mut [R], dx: &mut [R]) {
    let channels = y.len();
    for place in places {
        let (x, dx) = (&x[place * channels..][..channels], &mut dx[place * channels..][..channels]);
        for (((dx, &x), &y), left) in dx.iter_mut().zip(x).zip(y).zip(left.iter_mut()) {
            // Without branches, so that the loop can be vectorized. Two NaNs count as equal here.
            let here = (x == y) | (x.is_nan() & y.is_nan());
            *dx += if here { *left } else { R::zero() };
            *left = if here { R::zero() } else { *left };
        }
    }
}

/// Adds dx += dy / n at each of the n pixels.
fn to_all<R: Real>(places: impl Iterator<Item = usize> + Clone, left: &mut [R], dx: &mut [R]) {
    let (channels, share) = (left.len(), R::of(1.0 / places.clone().count().max(1) as f64));
    left.iter_mut().for_each(|left| *left *= share);
    for place in places {
        dx[place * channels..][..channels].iter_mut().zip(left.iter()).for_each(|(dx, &share)| *dx += share);
    }
}
