//! Pooling in two dimensions: y_bij = the largest, or the mean, of the pixels of window (i, j) of picture b, channel by
//! channel; pictures x (B, Y, X, C) with the channels last. Padding is no part of a window: a mean is over the pixels that
//! are there.

use std::ops::Range;

use super::conv::{Pair, Pictures, output_size};
use crate::error::{Error, Result};
use crate::kernels::Real;
use crate::parallel;

/// Numbers worth a thread.
const GRAIN: usize = 1 << 15;

/// What becomes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pool {
    /// The largest number; a NaN is the largest.
    Max,
    /// The mean.
    Mean,
}

/// The windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Height and width, at least 1.
    pub kernel: Pair,
    /// From one window to the next, at least 1.
    pub stride: Pair,
    /// On each side of a picture; at most half the kernel, so that every window holds a pixel.
    pub padding: Pair,
}

impl Frame {
    /// Height and width of y for pictures of a size.
    ///
    /// # Errors
    /// [`Error::Shape`] if a window is larger than the picture and its padding; [`Error::Value`] for padding of more than
    /// half the kernel.
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

    /// The pixels of a picture of that size in window (i, j).
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

/// y (B, Y′, X′, C) of x (B, Y, X, C). A window in an empty picture has y = 0.
///
/// # Errors
/// As [`Frame::output`]; [`Error::Memory`]; [`Error::Interrupted`].
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

/// y = max over the pixels of the rows.
fn largest<'a, R: Real>(rows: impl Iterator<Item = &'a [R]>, y: &mut [R]) {
    let (channels, mut begun) = (y.len(), false);
    y.fill(R::zero());
    for pixel in rows.flat_map(|row| row.chunks_exact(channels)) {
        if !begun {
            y.copy_from_slice(pixel);
            begun = true;
            continue;
        }
        // Not `!(x <= y)`: a NaN that came first is to stay. Both choices are of plain numbers, so that vectors can make them.
        for (y, &x) in y.iter_mut().zip(pixel) {
            let larger = x > *y || x.is_nan();
            *y = if larger { x } else { *y };
        }
    }
}

/// y = mean over the pixels of the rows.
fn mean<'a, R: Real>(rows: impl Iterator<Item = &'a [R]>, count: usize, y: &mut [R]) {
    let channels = y.len();
    y.fill(R::zero());
    for pixel in rows.flat_map(|row| row.chunks_exact(channels)) {
        y.iter_mut().zip(pixel).for_each(|(y, &x)| *y += x);
    }
    let share = R::of(1.0 / count.max(1) as f64);
    y.iter_mut().for_each(|y| *y *= share);
}

/// What the way back of the largest needs of the way there; the mean needs neither.
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (B, Y, X, C)
    pub x: &'a [R],
    /// y (B, Y′, X′, C)
    pub y: &'a [R],
}

/// dx (B, Y, X, C) of dy: for the largest (where there is `passed`), dy at the first pixel of a window that is y; else each
/// pixel's share of dy.
///
/// # Errors
/// As [`forward`].
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

/// dx += what is left of dy at the first of the pixels that is y.
fn to_largest<R: Real>(places: impl Iterator<Item = usize>, x: &[R], y: &[R], left: &mut [R], dx: &mut [R]) {
    let channels = y.len();
    for place in places {
        let (x, dx) = (&x[place * channels..][..channels], &mut dx[place * channels..][..channels]);
        for (((dx, &x), &y), left) in dx.iter_mut().zip(x).zip(y).zip(left.iter_mut()) {
            // No branches, so that vectors can do it. Two NaNs are equal here.
            let here = (x == y) | (x.is_nan() & y.is_nan());
            *dx += if here { *left } else { R::zero() };
            *left = if here { R::zero() } else { *left };
        }
    }
}

/// dx += dy / n at each of the n pixels.
fn to_all<R: Real>(places: impl Iterator<Item = usize> + Clone, left: &mut [R], dx: &mut [R]) {
    let (channels, share) = (left.len(), R::of(1.0 / places.clone().count().max(1) as f64));
    left.iter_mut().for_each(|left| *left *= share);
    for place in places {
        dx[place * channels..][..channels].iter_mut().zip(left.iter()).for_each(|(dx, &share)| *dx += share);
    }
}
