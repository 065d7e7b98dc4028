//! Bands: lines (rows of pixels) of a picture, together with the padding around them.

use super::Pair;
use crate::kernels::{Activation, Real, Steps, differentiate};

/// The position of a band in a picture. A band may begin before the picture and end after it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) origin: (isize, isize),
    pub(super) size: (usize, usize),
}

/// The values of a band, and the distance between its lines.
pub(super) struct Band<'a, R> {
    pub(super) data: &'a [R],
    pub(super) pitch: usize,
}

/// Pictures (B, height, width, channels) to read. If they are gradients of y = f(a), each band is multiplied
/// by f′, in terms of y, as it is copied; so the products need no array as large as the pictures.
#[derive(Clone, Copy)]
pub(super) struct Source<'a, R> {
    pub(super) numbers: &'a [R],
    pub(super) size: Pair,
    pub(super) channels: usize,
    /// f and y
    pub(super) through: Option<(Activation, &'a [R])>,
}

impl<'a, R: Real> Source<'a, R> {
    /// Copies values to `line`, starting from `begin`, times f′ if needed.
    pub(super) fn copy(&self, begin: usize, line: &mut [R]) {
        line.copy_from_slice(&self.numbers[begin..][..line.len()]);
        if let Some((activation, y)) = self.through {
            differentiate(activation, &y[begin..][..line.len()], line);
        }
    }

    /// Returns a band of a picture: in place if possible, otherwise copied, with zeros around the picture.
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
        // The columns inside the picture: after `before` columns of zeros, `count` columns
        // starting at `from`.
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

/// Merges lines of rows into a single line of rows if both the strides of A and the distances in C allow it.
pub(super) fn merged((lines, rows): (Steps, Steps), (to_line, to_row): (usize, usize)) -> (Steps, Steps) {
    if lines.stride == rows.count * rows.stride && to_line == rows.count * to_row {
        return (Steps { count: 1, stride: 0 }, Steps { count: lines.count * rows.count, ..rows });
    }
    (lines, rows)
}
