//! The layers, in data-flow order. Each is a forward function with its backward function beside it.

pub mod activation;
pub mod attention;
pub mod batch_norm;
pub mod cell;
pub mod conv;
pub mod decoder;
pub mod dropout;
pub mod embedding;
mod gru;
pub mod joined;
pub mod jordan;
pub mod linear;
mod lstm;
pub mod order;
pub mod pooling;
pub mod pooling_2d;
pub mod recurrence;
mod rnn;
mod step;
pub mod stepper;
