//! The sequences of a batch, and the memory layout of their steps.
//!
//! The sequences are ordered longest first, and step t has a row for each sequence that is still running:
//! there are no rows of padding. If all have the same length, this is the array (T, B, ·) itself; otherwise
//! the caller may give the position of each row in such an array.

use std::cmp::Reverse;
use std::ops::Range;

use crate::error::{Error, Result, check_shape};
use crate::layers::embedding::check_ids;
use crate::parallel;

/// In a batch of unequal lengths, larger groups have a multiple of `TILE` sequences, the number of rows in
/// the product's register tile, and at most `MOST_TOGETHER`.
const TILE: usize = 8;
const MOST_TOGETHER: usize = 32;

/// B sequences, longest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequences {
    batch: usize,
    /// The first row of every step, followed by the number of rows
    starts: Vec<usize>,
    /// For every row, its index among the caller's rows
    places: Option<Vec<usize>>,
}

impl Sequences {
    /// Returns B sequences of T steps.
    pub fn even(steps: usize, batch: usize) -> Self {
        Sequences { batch, starts: (0..=steps).map(|t| t * batch).collect(), places: None }
    }

    /// Returns `batch` sequences, of which `counts[t]` are running at step t.
    ///
    /// # Errors
    /// [`Error::Value`] if the counts increase or are not numbers from 0 to B.
    pub fn of_counts(op: &'static str, counts: &[i64], batch: usize) -> Result<Self> {
        let mut starts = vec![0; 1 + counts.len()];
        let mut most = batch;
        for (t, &count) in counts.iter().enumerate() {
            most =
                usize::try_from(count).ok().filter(|&count| count <= most).ok_or_else(|| Error::Value {
                    op,
                    argument: "counts",
                    expected: format!("a number from 0 to {most} at step {t}"),
                    got: count.to_string(),
                })?;
            starts[t + 1] = starts[t] + most;
        }
        Ok(Sequences { batch, starts, places: None })
    }

    /// Sets the position of each row among the caller's `of` rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if the number of rows differs; [`Error::TokenId`] for an invalid row.
    pub fn placed(mut self, op: &'static str, rows: &[i64], of: usize) -> Result<Self> {
        check_shape(op, "rows", &[rows.len()], &[("rows", Some(self.rows()))])?;
        check_ids(op, "rows", rows, of)?;
        self.places = Some(rows.iter().map(|&row| row as usize).collect());
        Ok(self)
    }

    /// Returns, for every row, its index among the caller's rows, if the layouts differ.
    pub fn places(&self) -> Option<&[usize]> {
        self.places.as_deref()
    }

    /// Returns T, the number of steps of the longest sequence.
    pub fn steps(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns B.
    pub fn batch(&self) -> usize {
        self.batch
    }

    /// Returns the number of rows of all steps.
    pub fn rows(&self) -> usize {
        self.starts[self.steps()]
    }

    /// Returns the first row of step t.
    pub fn start(&self, t: usize) -> usize {
        self.starts[t]
    }

    /// Returns the number of sequences running at step t; 0 after the last step.
    pub fn count(&self, t: usize) -> usize {
        self.starts.get(t + 1).map_or(0, |next| next - self.starts[t])
    }

    /// Returns whether all sequences have T steps.
    pub fn is_even(&self) -> bool {
        self.steps() == 0 || self.count(self.steps() - 1) == self.batch
    }

    /// Returns those of some sequences that are running at step t.
    pub(super) fn going_on(&self, t: usize, of: &Range<usize>) -> Range<usize> {
        of.start..of.end.min(self.count(t)).max(of.start)
    }

    /// Divides the sequences into groups that are distributed over the threads if there is enough work: one
    /// group per thread if all have the same length; otherwise `small` groups, or one per thread with about
    /// the same number of steps.
    pub(super) fn groups(&self, least_rows: usize, small: bool) -> Result<Vec<Range<usize>>> {
        let parts = parallel::num_threads()?.min(self.rows() / least_rows.max(1)).max(1);
        if parts == 1 || self.is_even() {
            return Ok(parallel::even_ranges(self.batch, parts));
        }
        if !small {
            return Ok(self.even_in_steps(parts));
        }
        let size = self.batch.div_ceil(2 * parts);
        let size = if size > TILE { (size - size % TILE).min(MOST_TOGETHER) } else { size };
        Ok((0..self.batch).step_by(size).map(|first| first..self.batch.min(first + size)).collect())
    }

    /// Divides the sequences into at most `parts` groups with about the same number of steps.
    fn even_in_steps(&self, parts: usize) -> Vec<Range<usize>> {
        let mut lengths = vec![0; self.batch];
        for t in 0..self.steps() {
            lengths[..self.count(t)].iter_mut().for_each(|length| *length += 1);
        }
        let (mut ranges, mut begin, mut done) = (Vec::with_capacity(parts), 0, 0);
        for (i, length) in lengths.iter().enumerate() {
            done += length;
            if done * parts >= self.rows() * (ranges.len() + 1) && ranges.len() + 1 < parts {
                ranges.push(begin..i + 1);
                begin = i + 1;
            }
        }
        ranges.push(begin..self.batch);
        ranges.retain(|range| !range.is_empty());
        ranges
    }

    /// Distributes the groups' parts over the threads: one each, or by their number of rows; see [`deal`].
    pub(super) fn deal<P>(&self, groups: &[Range<usize>], parts: Vec<P>) -> Result<Vec<Vec<P>>> {
        if self.is_even() {
            return Ok(parts.into_iter().map(|part| vec![part]).collect());
        }
        let rows = |group| (0..self.steps()).map(|t| self.going_on(t, group).len()).sum();
        let cards = groups.iter().map(rows).zip(parts).collect();
        Ok(deal(cards, parallel::num_threads()?.min(groups.len())))
    }

    /// Divides an array of rows of `width` elements by sequence: for each range, one slice per step.
    pub(super) fn split<'a, R>(
        &self,
        mut data: &'a mut [R],
        width: usize,
        ranges: &[Range<usize>],
    ) -> Vec<Vec<&'a mut [R]>> {
        let mut parts: Vec<_> = ranges.iter().map(|_| Vec::with_capacity(self.steps())).collect();
        if data.is_empty() {
            return parts;
        }
        let mut lengths: Vec<usize> = ranges.iter().map(|range| range.len() * width).collect();
        for t in 0..self.steps() {
            if self.count(t) < self.batch {
                for (len, range) in lengths.iter_mut().zip(ranges) {
                    *len = self.going_on(t, range).len() * width;
                }
            }
            for (part, &len) in parts.iter_mut().zip(&lengths) {
                let (own, rest) = std::mem::take(&mut data).split_at_mut(len);
                data = rest;
                part.push(own);
            }
        }
        parts
    }
}

/// Distributes parts of different sizes, the largest first, each to the hand with the smallest total.
fn deal<P>(mut cards: Vec<(usize, P)>, hands: usize) -> Vec<Vec<P>> {
    cards.sort_by_key(|&(size, _)| Reverse(size));
    let mut hands: Vec<(usize, Vec<P>)> = (0..hands).map(|_| (0, Vec::new())).collect();
    for (size, part) in cards {
        if let Some((total, hand)) = hands.iter_mut().min_by_key(|(total, _)| *total) {
            *total += size;
            hand.push(part);
        }
    }
    hands.into_iter().map(|(_, hand)| hand).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_of_sequences_of_different_lengths() {
        let s = Sequences::of_counts("test", &[3, 3, 1, 0], 4).unwrap();
        assert_eq!((s.steps(), s.batch(), s.rows(), s.is_even()), (4, 4, 7, false));
        assert_eq!((0..5).map(|t| s.count(t)).collect::<Vec<_>>(), [3, 3, 1, 0, 0]);
        let mut rows: Vec<usize> = (0..7).collect();
        let parts = s.split(&mut rows, 1, &[0..1, 1..4]);
        assert_eq!(parts[0], [&[0][..], &[3], &[6], &[]]);
        assert_eq!(parts[1], [&[1, 2][..], &[4, 5], &[], &[]]);
    }

    #[test]
    fn rows_lie_where_the_caller_says() {
        let s = Sequences::of_counts("test", &[2, 1], 2).unwrap();
        assert_eq!(s.places(), None);
        assert_eq!(s.clone().placed("test", &[4, 0, 2], 6).unwrap().places(), Some(&[4, 0, 2][..]));
        for wrong in [&[4, 0][..], &[4, 0, 6], &[4, 0, -1]] {
            assert!(s.clone().placed("test", wrong, 6).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn groups_are_dealt_out_evenly() {
        let cards = || vec![(1, 'd'), (6, 'a'), (4, 'b'), (3, 'c')];
        assert_eq!(deal(cards(), 1), [['a', 'b', 'c', 'd']]);
        assert_eq!(deal(cards(), 2), [['a', 'd'], ['b', 'c']]);
    }

    #[test]
    fn counts_that_rise_are_refused() {
        for counts in [&[1, 2][..], &[5], &[-1]] {
            assert!(Sequences::of_counts("test", counts, 4).is_err(), "{counts:?}");
        }
        assert!(Sequences::even(3, 2).is_even());
        assert_eq!(Sequences::of_counts("test", &[2, 2, 2], 2).unwrap(), Sequences::even(3, 2));
    }
}
