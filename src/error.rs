//! The one error type of the crate: what was asked, what was expected, what came.

use thiserror::Error;

/// Everything that can go wrong in a computation.
///
/// `op` is the operation as its user knows it (`"RNN.forward"`), `argument` the argument at fault.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// An array has the wrong number of axes or the wrong size.
    #[error("{op}: {argument}: expected {expected}, got {got}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// The shape that fits, with its letters: `(T, B, I=4)`.
        expected: String,
        /// The shape that came.
        got: String,
    },
    /// An argument's value makes no sense.
    #[error("{op}: {argument}: expected {expected}, got {got}")]
    Value {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// What would be accepted.
        expected: String,
        /// What came.
        got: String,
    },
    /// A token id is negative or not below the vocabulary's size.
    #[error("{op}: {argument}: expected ids from 0 to {last}, got {id} at position {position}")]
    TokenId {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// Where in the flattened array.
        position: usize,
        /// The id that came.
        id: i64,
        /// The largest id allowed (-1 where there is none).
        last: i64,
    },
    /// A result or a work buffer does not fit.
    #[error("{op}: expected at most {available} bytes of memory to be asked for, got {wanted}")]
    Memory {
        /// The operation.
        op: &'static str,
        /// How many bytes the sizes ask for, or that they overflow.
        wanted: String,
        /// How many bytes there are.
        available: u64,
    },
    /// A file is not what it should be.
    #[error("{0}")]
    Format(String),
    /// The caller asked for a stop (Ctrl-C) while the computation ran; partial results are to be dropped.
    #[error("interrupted")]
    Interrupted,
}

/// `Result` with the crate's error.
pub type Result<T> = std::result::Result<T, Error>;

/// Checks a shape and names its letters when it does not fit.
///
/// `letters` go with `expected` one by one; an axis that may have any size is `None`.
pub(crate) fn check_shape(
    op: &'static str,
    argument: &'static str,
    got: &[usize],
    expected: &[(&str, Option<usize>)],
) -> Result<()> {
    let fits =
        got.len() == expected.len() && got.iter().zip(expected).all(|(&g, (_, e))| e.is_none_or(|e| e == g));
    if fits {
        return Ok(());
    }
    let axes: Vec<String> = expected
        .iter()
        .map(|(letter, size)| match size {
            Some(size) => format!("{letter}={size}"),
            None => (*letter).to_string(),
        })
        .collect();
    Err(Error::Shape { op, argument, expected: format!("({})", axes.join(", ")), got: shape(got) })
}

/// A shape as Python writes it: `(3,)`, `(2, 5)`.
pub(crate) fn shape(sizes: &[usize]) -> String {
    match sizes {
        [one] => format!("({one},)"),
        _ => format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
