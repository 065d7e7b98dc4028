//! Correlation: the product of every window of the pictures with a packed kernel (one per phase), line by
//! line of the result.

use std::ops::Range;

use super::Pair;
use super::band::{Place, Source, merged};
use crate::error::Result;
use crate::kernels::{Activation, Packed, Real, Start, Steps, Windows, activate};
use crate::layers::linear::least_rows;
use crate::parallel;

/// Bytes of a band; the kernel's panels also have to fit in a core's cache.
const BAND_BYTES: usize = 1 << 17;

/// Equally spaced pixels of the target, and the windows that produce them.
pub(super) struct Phase<R: Real> {
    /// (values in a window, channels of the target)
    pub(super) packed: Packed<R>,
    /// Height and width of the windows.
    pub(super) taps: Pair,
    /// The target's pixels: the first one, the distance to the next one, and their number.
    pub(super) first: Pair,
    pub(super) step: Pair,
    pub(super) count: Pair,
    /// Where the first pixel's window begins in the source, and the distance to the next window.
    pub(super) origin: (isize, isize),
    pub(super) stride: Pair,
}

/// The values added to the products, and the function applied to the sums.
#[derive(Clone, Copy)]
pub(super) struct Epilogue<'a, R> {
    pub(super) start: Start<'a, R>,
    pub(super) activation: Activation,
}

impl<R: Real> Phase<R> {
    /// Returns the indices of the phase's lines among `lines` of the target.
    fn lines(&self, lines: &Range<usize>) -> Range<usize> {
        let until = |line: usize| line.saturating_sub(self.first.0).div_ceil(self.step.0).min(self.count.0);
        until(lines.start)..until(lines.end)
    }

    /// Returns the part of the source that the windows of these lines cover.
    fn place(&self, lines: &Range<usize>) -> Place {
        let reach = |count: usize, stride: usize, taps: usize| (count - 1) * stride + taps;
        Place {
            origin: (self.origin.0 + (lines.start * self.stride.0) as isize, self.origin.1),
            size: (
                reach(lines.len(), self.stride.0, self.taps.0),
                reach(self.count.1, self.stride.1, self.taps.1),
            ),
        }
    }
}

/// Fills the target's pictures (B, height, width, channels) with the phases' products. Pixels that belong to
/// no phase are left unchanged.
pub(super) fn correlate<R: Real>(
    op: &'static str,
    phases: &[Phase<R>],
    source: Source<'_, R>,
    epilogue: Epilogue<'_, R>,
    (target, (height, width)): (&mut [R], Pair),
) -> Result<()> {
    let Some(columns) = phases.first().map(|phase| phase.packed.columns()) else { return Ok(()) };
    let line = width * columns;
    if target.is_empty() || line == 0 {
        return Ok(());
    }
    let lines = target.len() / line;
    // Lines processed at a time: whole periods of the phases.
    let period = phases[0].step.0;
    let bytes = |phase: &Phase<R>| {
        let line = phase.place(&(0..1)).size.1.saturating_mul(source.channels * size_of::<R>());
        line.saturating_mul(phase.stride.0)
    };
    let most = phases.iter().map(bytes).max().unwrap_or(0).max(1);
    let at_once = (BAND_BYTES / most).max(1).saturating_mul(period).min(height);
    let room = |phase: &Phase<R>| {
        let place = phase.place(&(0..at_once.div_ceil(period).min(phase.count.0)));
        place.size.0.saturating_mul(place.size.1).saturating_mul(source.channels)
    };
    let room = phases.iter().map(room).max().unwrap_or(0);
    let operations: usize =
        phases.iter().map(|phase| 2 * phase.packed.depth() * columns * phase.count.1).sum();
    let ranges = parallel::ranges(lines, least_rows(operations / period))?;
    let parts: Vec<_> = parallel::split_rows(target, &ranges, line).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(target, range): (&mut [R], _), stop| {
        let mut room = parallel::scratch(op, &[room])?;
        let mut done = range.start;
        while done < range.end {
            let (picture, first) = (done / height, done % height);
            let count = at_once.min(height - first).min(range.end - done);
            let own = &mut target[(done - range.start) * line..][..count * line];
            let lines = first..first + count;
            for phase in phases {
                multiply(phase, (source, picture), lines.clone(), epilogue.start, (own, width), &mut room);
            }
            activate(epilogue.activation, own);
            done += count;
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })
}

/// Computes a phase's pixels in some lines of the target.
fn multiply<R: Real>(
    phase: &Phase<R>,
    (source, picture): (Source<'_, R>, usize),
    target_lines: Range<usize>,
    start: Start<'_, R>,
    (target, width): (&mut [R], usize),
    room: &mut [R],
) {
    let lines = phase.lines(&target_lines);
    if lines.is_empty() {
        return;
    }
    let (band, channels) = (source.band(picture, phase.place(&lines), room), source.channels);
    let columns = phase.packed.columns();
    let to = (phase.step.0 * width * columns, phase.step.1 * columns);
    let first = phase.first.0 + lines.start * phase.step.0 - target_lines.start;
    let (of_lines, of_rows) = merged(
        (
            Steps { count: lines.len(), stride: phase.stride.0 * band.pitch },
            Steps { count: phase.count.1, stride: phase.stride.1 * channels },
        ),
        to,
    );
    let windows = Windows {
        data: band.data,
        lines: of_lines,
        rows: of_rows,
        runs: Steps { count: phase.taps.0, stride: band.pitch },
        columns: Steps { count: phase.taps.1 * channels, stride: 1 },
    };
    let target = &mut target[(first * width + phase.first.1) * columns..];
    phase.packed.multiply_windows(windows, start, target, to);
}
