//! The layers, in the order in which data meets them. Each is a forward function and the backward one beside it.

pub mod embedding;
pub mod jordan;
pub mod linear;
mod lockstep;
pub mod recurrence;
pub mod rnn;
pub mod stepper;
