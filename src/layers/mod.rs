//! The layers, in the order in which data meets them. Each is a forward function and the backward one beside it.

pub mod cell;
pub mod embedding;
mod gru;
pub mod input;
pub mod linear;
mod lockstep;
mod lstm;
pub mod recurrence;
mod rnn;
pub mod sequences;
pub mod stepper;
