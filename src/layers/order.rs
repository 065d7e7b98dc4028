//! The order of the sequences of a batch of unequal lengths: longest first, without padding (see
//! `recurrence/sequences.rs`); and the mapping back to the batch.

use std::cmp::Reverse;

use crate::error::{Error, Result};
use crate::kernels::Real;
use crate::layers::embedding::check_ids;
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 16;

/// The sequences of a batch (T, B): parts of its B streams, in order within each stream.
#[derive(Clone, Copy)]
pub struct Parts<'a> {
    /// T, B
    pub shape: [usize; 2],
    /// The stream of each sequence
    pub stream: &'a [i64],
    /// The first step of each sequence
    pub first: &'a [i64],
    /// The number of steps of each sequence
    pub length: &'a [i64],
}

/// The order of the sequences and of their rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Order {
    /// The sequence at each place: longest first, ties in the given order
    pub longest: Vec<i64>,
    /// Number of sequences still running at each step
    pub counts: Vec<i64>,
    /// For every row, step by step, its index among the T·B rows of the batch
    pub rows: Vec<i64>,
    /// For each of the T·B rows of the batch, its row index; −1 for padding
    pub places: Vec<i64>,
    /// The place of each stream's last sequence
    pub last: Vec<i64>,
}

/// Orders the sequences longest first; `reverse` reads each sequence from its last step to its first.
///
/// # Errors
/// [`Error::TokenId`] for an invalid stream; [`Error::Value`] for a sequence that exceeds the T steps.
pub fn order(parts: Parts<'_>, reverse: bool) -> Result<Order> {
    const OP: &str = "order";
    let Parts { shape: [steps, batch], stream, first, length } = parts;
    check_ids(OP, "stream", stream, batch)?;
    parallel::check_memory(OP, (steps as u64).saturating_mul(batch as u64).saturating_mul(16))?;
    for (&first, &length) in first.iter().zip(length) {
        if first < 0 || length < 0 || first.saturating_add(length) > steps as i64 {
            return Err(Error::Value {
                op: OP,
                argument: "length",
                expected: format!("a sequence within steps 0 to {steps}"),
                got: format!("{length} steps from step {first}"),
            });
        }
    }
    let mut longest: Vec<i64> = (0..stream.len() as i64).collect();
    longest.sort_by_key(|&s| Reverse(length[s as usize]));
    let mut last = vec![0; batch];
    let mut place = vec![0; stream.len()];
    longest.iter().enumerate().for_each(|(i, &s)| place[s as usize] = i as i64);
    stream.iter().zip(&place).for_each(|(&stream, &place)| last[stream as usize] = place);
    let (mut counts, mut rows, mut places) = (Vec::new(), Vec::new(), vec![-1; steps * batch]);
    let mut going_on = longest.len();
    for t in 0.. {
        while going_on > 0 && length[longest[going_on - 1] as usize] <= t {
            going_on -= 1;
        }
        if going_on == 0 {
            break;
        }
        counts.push(going_on as i64);
        for s in longest[..going_on].iter().map(|&s| s as usize) {
            let step = first[s] + if reverse { length[s] - 1 - t } else { t };
            let row = step * batch as i64 + stream[s];
            places[row as usize] = rows.len() as i64;
            rows.push(row);
        }
    }
    Ok(Order { longest, counts, rows, places, last })
}

/// Returns the rows of a batch, given x (rows, width) in the order of [`Order::rows`]; padding rows are zero.
///
/// # Errors
/// [`Error::TokenId`] for a place that is not a row of x; [`Error::Memory`]; [`Error::Interrupted`].
pub fn unpack<R: Real>(places: &[i64], x: &[R], width: usize) -> Result<Vec<R>> {
    const OP: &str = "unpack";
    let rows = (x.len() / width.max(1)) as i64;
    if let Some(position) = places.iter().position(|place| !(-1..rows).contains(place)) {
        let id = places[position];
        return Err(Error::TokenId { op: OP, argument: "places", position, id, last: rows - 1 });
    }
    let mut whole = parallel::scratch(OP, &[places.len(), width])?;
    let ranges = parallel::ranges(places.len(), GRAIN / width.max(1))?;
    let parts: Vec<_> = parallel::split_rows(&mut whole, &ranges, width).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(whole, range), _| {
        for (row, &place) in whole.chunks_exact_mut(width.max(1)).zip(&places[range.clone()]) {
            match usize::try_from(place) {
                Ok(place) => row.copy_from_slice(&x[place * width..][..width]),
                Err(_) => row.fill(R::zero()),
            }
        }
        Ok(())
    })?;
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longest_first_and_back() {
        // Stream 0 has steps 0 and 1, stream 1 none, stream 2 two sequences: step 0, and steps 1 to 3.
        let parts =
            Parts { shape: [4, 3], stream: &[0, 1, 2, 2], first: &[0, 0, 0, 1], length: &[2, 0, 1, 3] };
        let order = order(parts, false).unwrap();
        assert_eq!(order.longest, [3, 0, 2, 1]);
        assert_eq!(order.counts, [3, 2, 1]);
        assert_eq!(order.rows, [5, 0, 2, 8, 3, 11]);
        assert_eq!(order.places, [1, -1, 2, 4, -1, 0, -1, -1, 3, -1, -1, 5]);
        assert_eq!(order.last, [1, 3, 0]);
        let x = [10.0f32, 11.0, 12.0, 13.0, 14.0, 15.0];
        let whole = unpack(&order.places, &x, 1).unwrap();
        assert_eq!(whole, [11.0, 0.0, 12.0, 14.0, 0.0, 10.0, 0.0, 0.0, 13.0, 0.0, 0.0, 15.0]);
        assert!(unpack(&order.places, &x[1..], 1).is_err());
    }

    #[test]
    fn backwards() {
        let parts = Parts { shape: [3, 2], stream: &[0, 1], first: &[0, 0], length: &[1, 3] };
        assert_eq!(order(parts, true).unwrap().rows, [5, 0, 3, 1]);
        assert!(order(Parts { length: &[1, 4], ..parts }, false).is_err());
    }
}
