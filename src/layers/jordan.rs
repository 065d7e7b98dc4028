//! The output-to-hidden network: only its output is fed back (Jordan 1986; Goodfellow et al., section 10.2.1
//! and figure 10.4).
//!
//! Forward:  a_t = b + U x_t + W z_t,   h_t = f(a_t),   o_t = c + V h_t,
//! where z_t is the feedback from step t−1: the target y_{t−1} (teacher forcing), o_{t−1},
//! ŷ_{t−1} = softmax(o_{t−1}), or a token chosen from o_{t−1}, as a one-hot vector or as a row
//! of an embedding.
//!
//! - [`forced`]: z is known beforehand, so no step depends on another: all T·B rows are one product,
//!   forward and backward.
//! - [`driven`]: the network's own output is fed back, at every step or at some (scheduled sampling):
//!   a loop over time.
//! - [`back`]: BPTT through the outputs that were fed back, and the parameters' gradients.
//! - [`table`]: the term that a token adds to a, W e_token or W E\[token\]: a row lookup
//!   instead of a product.

pub mod back;
pub mod driven;
pub mod forced;
pub mod table;

use std::ops::Range;

use crate::error::{Error, Result, check_shape};
use crate::kernels::{Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

const FORWARD: &str = "JordanRNN.forward";
const BACKWARD: &str = "JordanRNN.backward";

/// Stands for no token: the step is fed z_t = 0.
pub const NOTHING: i64 = -1;

/// The sizes T, B, I, H, O and F.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Time steps.
    pub steps: usize,
    /// Sequences in the batch.
    pub batch: usize,
    /// Input size.
    pub inputs: usize,
    /// Hidden size.
    pub hidden: usize,
    /// Output size.
    pub outputs: usize,
    /// Size of the feedback: O, or the size of a token's embedding.
    pub fed: usize,
}

/// The parameters, row-major.
#[derive(Clone, Copy)]
pub struct Weights<'a, R> {
    /// U (H, I)
    pub u: &'a [R],
    /// W (H, F)
    pub w: &'a [R],
    /// b (H)
    pub b: &'a [R],
    /// V (O, H)
    pub v: &'a [R],
    /// c (O)
    pub c: &'a [R],
}

/// The places where the gradients of [`Weights`] are added.
pub struct WeightGradients<'a, R> {
    /// dU (H, I)
    pub u: &'a mut [R],
    /// dW (H, F)
    pub w: &'a mut [R],
    /// db (H)
    pub b: &'a mut [R],
    /// dV (O, H)
    pub v: &'a mut [R],
    /// dc (O)
    pub c: &'a mut [R],
}

/// z, the feedback into every step.
#[derive(Clone, Copy)]
pub struct Fed<'a, R> {
    /// z at the first step (B, F), if it is not a token; `None` means zero.
    pub first: Option<&'a [R]>,
    /// z at the later steps
    pub later: Later<'a, R>,
}

/// z after the first step.
#[derive(Clone, Copy)]
pub enum Later<'a, R> {
    /// z_t is row t−1 of an array (T, B, F): targets or outputs.
    Values(&'a [R]),
    /// z_t is the token at step t of ids (T, B), including the first step; [`NOTHING`] means zero. `table`
    /// (O, H) holds the term that each token adds to a.
    Tokens {
        /// (T, B)
        ids: &'a [i64],
        /// (O, H)
        table: &'a [R],
    },
}

impl Sizes {
    /// Checks the parameters' shapes against each other and returns the sizes; `fed` is F if it is not O.
    ///
    /// # Errors
    /// [`Error::Shape`], which names the array with the wrong shape.
    pub fn of(
        op: &'static str,
        x: &[usize],
        [u, w, b, v, c]: [&[usize]; 5],
        fed: Option<usize>,
    ) -> Result<Sizes> {
        check_shape(op, "U", u, &[("H", None), ("I", None)])?;
        let (hidden, inputs) = (u[0], u[1]);
        check_shape(op, "V", v, &[("O", None), ("H", Some(hidden))])?;
        let outputs = v[0];
        let (letter, fed) = fed.map_or(("O", outputs), |fed| ("E", fed));
        check_shape(op, "W", w, &[("H", Some(hidden)), (letter, Some(fed))])?;
        check_shape(op, "b", b, &[("H", Some(hidden))])?;
        check_shape(op, "c", c, &[("O", Some(outputs))])?;
        check_shape(op, "x", x, &[("T", None), ("B", None), ("I", Some(inputs))])?;
        Ok(Sizes { steps: x[0], batch: x[1], inputs, hidden, outputs, fed })
    }

    /// Returns the number of rows, T·B.
    fn rows(&self) -> usize {
        self.steps * self.batch
    }

    /// Returns the number of operations per row, forward.
    fn operations(&self) -> usize {
        2 * self.hidden * (self.inputs + self.outputs + self.fed)
    }
}

/// Checks that ids are in 0..`outputs`, or [`NOTHING`].
///
/// # Errors
/// [`Error::TokenId`] for the first id that is neither.
pub fn check_tokens(op: &'static str, argument: &'static str, ids: &[i64], outputs: usize) -> Result<()> {
    let outside = |&id: &i64| id != NOTHING && (id < 0 || id as u64 >= outputs as u64);
    match ids.iter().position(outside) {
        None => Ok(()),
        Some(position) => {
            Err(Error::TokenId { op, argument, position, id: ids[position], last: outputs as i64 - 1 })
        }
    }
}

/// Checks that each of the lengths (B) is from 0 to T.
///
/// # Errors
/// [`Error::Value`] for the first length that is not.
pub fn check_lengths(op: &'static str, lengths: Option<&[i64]>, steps: usize) -> Result<()> {
    let wrong = |&&n: &&i64| n < 0 || n as u64 > steps as u64;
    match lengths.and_then(|lengths| lengths.iter().find(wrong)) {
        None => Ok(()),
        Some(n) => Err(Error::Value {
            op,
            argument: "lengths",
            expected: format!("whole numbers from 0 to T={steps}"),
            got: n.to_string(),
        }),
    }
}

/// Returns whether step t is past the end of the sequence.
fn ended(lengths: Option<&[i64]>, t: usize, sequence: usize) -> bool {
    lengths.is_some_and(|lengths| t as i64 >= lengths[sequence])
}

/// Zeroes the rows (count, width) past their sequence's end; `first` is the index of the first row in (T, B).
fn silence<R: Real>(lengths: Option<&[i64]>, batch: usize, first: usize, rows: &mut [R], width: usize) {
    if lengths.is_none() {
        return;
    }
    for (i, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
        let at = first + i;
        if ended(lengths, at / batch, at % batch) {
            row.fill(R::zero());
        }
    }
}

/// Computes c (count, N) ← a (count, K) · B + start.
fn multiply<R: Real>(a: &[R], count: usize, b: &Packed<R>, start: Start<'_, R>, c: &mut [R]) {
    let rows = Rows { data: a, stride: b.depth(), count };
    b.multiply(rows, start, RowsMut { data: c, stride: b.columns() });
}

/// Divides a time-major array by sequence: for each range of sequences, its slice of every step.
fn by_sequences<'a, T>(
    array: &'a mut [T],
    (batch, width): (usize, usize),
    ranges: &[Range<usize>],
) -> Vec<Vec<&'a mut [T]>> {
    let mut parts: Vec<Vec<&mut [T]>> = ranges.iter().map(|_| Vec::new()).collect();
    for mut step in array.chunks_exact_mut((batch * width).max(1)) {
        for (part, range) in parts.iter_mut().zip(ranges) {
            let (piece, rest) = std::mem::take(&mut step).split_at_mut(range.len() * width);
            part.push(piece);
            step = rest;
        }
    }
    parts
}

/// Returns a vector of `len` copies of `value`, if they fit in memory.
fn filled<T: Clone>(op: &'static str, len: usize, value: T) -> Result<Vec<T>> {
    parallel::check_memory(op, (len as u64).saturating_mul(size_of::<T>() as u64))?;
    Ok(vec![value; len])
}
