//! The crate's error type. Each error names the operation, the argument, the expected value and the actual
//! value.

use thiserror::Error;

/// An error of a computation.
///
/// `op` is the name of the operation in the public API (`"RNN.forward"`); `argument` is the invalid argument.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum Error {
    /// An array has the wrong number of axes or the wrong size.
    #[error("{op}: {argument}: expected {expected}, got {got}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// The expected shape, with its letters: `(T, B, I=4)`.
        expected: String,
        /// The actual shape.
        got: String,
    },
    /// An argument has an invalid value.
    #[error("{op}: {argument}: expected {expected}, got {got}")]
    Value {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// The accepted values.
        expected: String,
        /// The actual value.
        got: String,
    },
    /// A token id is negative or not below the vocabulary's size.
    #[error("{op}: {argument}: expected ids from 0 to {last}, got {id} at position {position}")]
    TokenId {
        /// The operation.
        op: &'static str,
        /// The argument.
        argument: &'static str,
        /// The index in the flattened array.
        position: usize,
        /// The invalid id.
        id: i64,
        /// The largest valid id, or -1 if no id is valid.
        last: i64,
    },
    /// A result or a work buffer does not fit in memory.
    #[error("{op}: memory: expected a request for at most {available} bytes, got {wanted}")]
    Memory {
        /// The operation.
        op: &'static str,
        /// The number of bytes requested, or a note that it overflows.
        wanted: String,
        /// The number of bytes available.
        available: u64,
    },
    /// A file has an invalid format.
    #[error("{0}")]
    Format(String),
    /// The caller interrupted the computation (Ctrl-C). Partial results must be discarded.
    #[error("interrupted")]
    Interrupted,
}

/// `Result` with the crate's error type.
pub type Result<T> = std::result::Result<T, Error>;

/// Checks a shape; on a mismatch, returns an error that names the expected axes.
///
/// `expected` holds the letter and the size of each axis; the size is `None` for an axis that may have any
/// size.
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

/// Formats a shape as Python does: `(3,)`, `(2, 5)`.
pub(crate) fn shape(sizes: &[usize]) -> String {
    match sizes {
        [one] => format!("({one},)"),
        _ => format!("({})", sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    }
}
