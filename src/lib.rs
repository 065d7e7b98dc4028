//! Recurrent neural networks on a CPU: a whole sequence per call, forward and back through time.
//!
//! # The way of the data
//! ids or arrays → [`layers::embedding`] (or the input projection, [`layers::recurrence::Input`]) → [`layers::recurrence`], the driver,
//! with one of [`layers::cell`] → [`layers::linear`], the output layer → [`loss`] → back through the same modules, which hold
//! each backward beside its forward → [`optim`]: clipping and the update. [`init`] makes the first weights;
//! [`layers::stepper`] and [`sampling`] write text one token at a time, [`decoding`] searches for the best. Underneath lie [`kernels`] (vector
//! instructions, the only `unsafe` code) and [`parallel`] (threads, stopping, memory).
//!
//! # The letters
//! T time steps, B sequences in a minibatch, I input size, H hidden size, O output size. Arrays are time-major and
//! row-major: x (T, B, I), h (T, B, H), o (T, B, O). a_t = b + W h_{t-1} + U x_t; h_t = f(a_t); o_t = c + V h_t. A leading
//! d is a gradient: dh = ∂L/∂h. Gradients of parameters are added to what is there; all others are new arrays.
//!
//! # An example
//! ```
//! use rnnrs::kernels::{Activation, Lines};
//! use rnnrs::layers::cell::Cell;
//! use rnnrs::layers::recurrence::{self, Back, Extras, Input, Passed, Recurrent, Sequences};
//!
//! // One unit that remembers half of what it was, and adds what comes: three steps of one sequence.
//! let layer = Recurrent { cell: Cell::Rnn(Activation::Identity), hidden: 1, w: &[0.5], extras: Extras::NONE };
//! let sequences = Sequences::even(3, 1);
//! let input = Input::Vectors { x: Lines::all(&[1.0, 0.0, 2.0], 1), u: &[1.0], b: &[0.0] };
//! let trace = recurrence::forward("example", layer, &sequences, input, None, true)?;
//! assert_eq!(trace.h, [1.0, 0.5, 2.25]);
//!
//! // Back through time: the last state depends on the first input by 0.5².
//! let passed = Passed { h: &trace.h, c: &[], kept: &[], first: None, normed: [&[]; 2] };
//! let dh = Lines::all(&[0.0, 0.0, 1.0], 1);
//! let Back { da, dfirst, .. } = recurrence::backward("example", layer, &sequences, passed, Some(dh), None)?;
//! assert_eq!(da, [0.25, 0.5, 1.0]);
//! assert_eq!(dfirst, [0.125]);
//! # Ok::<(), rnnrs::Error>(())
//! ```

pub mod decoding;
pub mod error;
pub mod init;
pub mod kernels;
pub mod layers;
pub mod loss;
pub mod optim;
pub mod parallel;
pub mod random;
pub mod sampling;

#[cfg(feature = "python")]
mod python;

pub use error::{Error, Result};
