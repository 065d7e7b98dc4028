//! Recurrent neural networks on a CPU: one call processes a whole sequence, forward or backward through time.
//!
//! # Data flow
//! Token ids or arrays → [`layers::embedding`] (or the input projection, [`layers::recurrence::Input`]) →
//! [`layers::recurrence`], the driver, with one of the cells in [`layers::cell`] → [`layers::linear`], the
//! output layer → [`loss`]. The backward pass visits the same modules in reverse; each module holds its
//! backward pass beside its forward pass. [`optim`] then clips the gradients and updates the parameters.
//!
//! [`init`] creates the initial weights. [`layers::stepper`] and [`sampling`] generate text one token at a
//! time; [`decoding`] searches for the best continuations; [`text`] turns texts into token ids and back.
//! Everything rests on [`kernels`] (vector instructions, the only `unsafe` code) and [`parallel`] (threads,
//! interruption, fallible allocation).
//!
//! # Notation
//! T time steps, B sequences in a minibatch, I input size, H hidden size, O output size. Arrays are
//! time-major and row-major: x (T, B, I), h (T, B, H), o (T, B, O).
//!
//! a_t = b + W h_{t-1} + U x_t; h_t = f(a_t); o_t = c + V h_t.
//!
//! A leading d denotes a gradient: dh = ∂L/∂h. Parameter gradients are added to the caller's arrays; all
//! other gradients are new arrays.
//!
//! # Example
//! ```
//! use rnnrs::kernels::{Activation, Lines};
//! use rnnrs::layers::cell::Cell;
//! use rnnrs::layers::recurrence::{self, Back, Extras, Input, Passed, Recurrent, Sequences};
//!
//! // One unit that keeps half of its state and adds the input: three steps of one sequence.
//! let cell = Cell::Rnn(Activation::Identity);
//! let layer = Recurrent { cell, hidden: 1, w: &[0.5], extras: Extras::NONE };
//! let sequences = Sequences::even(3, 1);
//! let input = Input::Vectors { x: Lines::all(&[1.0, 0.0, 2.0], 1), u: &[1.0], b: &[0.0] };
//! let trace = recurrence::forward("example", layer, &sequences, input, None, true)?;
//! assert_eq!(trace.h, [1.0, 0.5, 2.25]);
//!
//! // Backpropagation through time: the derivative of the last state by the first input is 0.5².
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
pub mod text;

#[cfg(feature = "python")]
mod python;

pub use error::{Error, Result};
