//! Some lines of a picture with what stands around them.

use super::Pair;
use crate::kernels::{Activation, Real, Steps, differentiate};

/// Where a band lies in a picture: it may begin before the picture and end behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) origin: (isize, isize),
    pub(super) size: (usize, usize),
}

/// The numbers of a band, and the distance between its lines.
pub(super) struct Band<'a, R> {
    pub(super) data: &'a [R],
    pub(super) pitch: usize,
}

/// Pictures (B, height, width, channels) to be read; where they are gradients of y = f(a), they are multiplied by f′ in
/// terms of y, band by band: so no array of their size is needed for the products.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, R> {
    pub(super) numbers: &'a [R],
    pub(super) size: Pair,
    pub(super) channels: usize,
    /// f and y.
    pub(super) through: Option<(Activation, &'a [R])>,
}

impl<'a, R: Real> Source<'a, R> {
    /// Some of the numbers, from `begin` on, to `line`.
    pub(super) fn copy(&self, begin: usize, line: &mut [R]) {
        line.copy_from_slice(&self.numbers[begin..][..line.len()]);
        if let Some((activation, y)) = self.through {
            differentiate(activation, &y[begin..][..line.len()], line);
        }
    }

    /// A band of a picture: where it lies, or copied with zeros around the picture.
    pub(super) fn band<'b>(&'b self, picture: usize, place: Place, room: &'b mut [R]) -> Band<'b, R> {
        let (Place { origin: (top, left), size: (lines, columns) }, channels) = (place, self.channels);
        let (height, width) = self.size;
        let picture = picture * height * width * channels;
        let inside = |first: isize, count: usize, size: usize| first >= 0 && first as usize + count <= size;
        if self.through.is_none() && inside(top, lines, height) && inside(left, columns, width) {
            let begin = picture + (top as usize * width + left as usize) * channels;
            return Band { data: &self.numbers[begin..], pitch: width * channels };
        }
        let pitch = columns * channels;
        // The columns that are the picture's: after so many zeros, so many numbers from there.
        let before = left.unsigned_abs().min(columns) * usize::from(left < 0);
        let from = (left.max(0) as usize).min(width);
        let count = (width - from).min(columns - before);
        for (i, line) in room[..lines * pitch].chunks_exact_mut(pitch.max(1)).enumerate() {
            let y = top + i as isize;
            if y < 0 || y as usize >= height {
                line.fill(R::zero());
                continue;
            }
            line[..before * channels].fill(R::zero());
            let begin = picture + (y as usize * width + from) * channels;
            self.copy(begin, &mut line[before * channels..][..count * channels]);
            line[(before + count) * channels..].fill(R::zero());
        }
        Band { data: &room[..lines * pitch], pitch }
    }
}

/// Lines and the rows in them, as one line of rows where the distances allow it: (lines, rows) of A and C's two distances.
pub(super) fn merged((lines, rows): (Steps, Steps), (to_line, to_row): (usize, usize)) -> (Steps, Steps) {
    if lines.stride == rows.count * rows.stride && to_line == rows.count * to_row {
        return (Steps { count: 1, stride: 0 }, Steps { count: lines.count * rows.count, ..rows });
    }
    (lines, rows)
}
