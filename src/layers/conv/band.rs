//! Some lines of a picture with what stands around them.

use crate::kernels::{Real, Steps};

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

/// The band of a picture (height, width, channels): where it lies, or copied with zeros around the picture.
pub(super) fn band<'a, R: Real>(
    picture: &'a [R],
    (height, width): (usize, usize),
    channels: usize,
    place: Place,
    room: &'a mut [R],
) -> Band<'a, R> {
    let Place { origin: (top, left), size: (lines, columns) } = place;
    let inside = |first: isize, count: usize, size: usize| first >= 0 && first as usize + count <= size;
    if inside(top, lines, height) && inside(left, columns, width) {
        let begin = (top as usize * width + left as usize) * channels;
        return Band { data: &picture[begin..], pitch: width * channels };
    }
    let pitch = columns * channels;
    // The columns that are the picture's: after so many zeros, so many numbers from there.
    let before = left.unsigned_abs().min(columns) * usize::from(left < 0);
    let from = left.max(0) as usize;
    let count = width.saturating_sub(from).min(columns - before);
    for (i, line) in room[..lines * pitch].chunks_exact_mut(pitch.max(1)).enumerate() {
        let y = top + i as isize;
        if y < 0 || y as usize >= height {
            line.fill(R::zero());
            continue;
        }
        line[..before * channels].fill(R::zero());
        let begin = (y as usize * width + from.min(width)) * channels;
        line[before * channels..][..count * channels].copy_from_slice(&picture[begin..][..count * channels]);
        line[(before + count) * channels..].fill(R::zero());
    }
    Band { data: &room[..lines * pitch], pitch }
}

/// Lines and the rows in them, as one line of rows where the distances allow it: (lines, rows) of A and C's two distances.
pub(super) fn merged((lines, rows): (Steps, Steps), (to_line, to_row): (usize, usize)) -> (Steps, Steps) {
    if lines.stride == rows.count * rows.stride && to_line == rows.count * to_row {
        return (Steps { count: 1, stride: 0 }, Steps { count: lines.count * rows.count, ..rows });
    }
    (lines, rows)
}
