//! The network's own output is fed back: a loop over time, in which each thread processes some
//! of the sequences.
//!
//! Each step of a sequence is fed either the target, with probability ε, or the network's own output of the
//! step before (scheduled sampling: Bengio, Vinyals, Jaitly and Shazeer 2015). With ε = 0, or without
//! targets, the network is free-running.

use std::ops::Range;

use super::forced::add_row;
use super::{FORWARD, NOTHING, Sizes, Weights, by_sequences, ended, filled, multiply};
use crate::error::Result;
use crate::kernels::{Activation, Packed, Real, Start, activate, exponentials};
use crate::layers::linear;
use crate::parallel;
use crate::random::{philox, uniform};
use crate::sampling::Sampling;

/// Number of steps whose inputs are projected at a time.
const AHEAD: usize = 32;

/// The form in which the network's own output is fed back as values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// o
    Output,
    /// ŷ = softmax(o)
    Softmax,
}

/// The targets y_t (T, B), which are fed at step t + 1.
#[derive(Clone, Copy)]
pub enum Teacher<'a, R> {
    /// No targets
    Absent,
    /// Token ids; [`NOTHING`] feeds nothing
    Ids(&'a [i64]),
    /// Values (T, B, F)
    Values(&'a [R]),
}

/// The probability that the target is fed, and the random numbers that decide it. A draw depends only on
/// (seed, step, key, t).
#[derive(Debug, Clone, Copy)]
pub struct Schedule<'a> {
    /// ε, the probability that the target is fed
    pub forcing: f64,
    /// Seed of the draws
    pub seed: u64,
    /// The number of the call: the training step
    pub step: u64,
    /// The key of each sequence (B)
    pub keys: &'a [u64],
}

impl Schedule<'_> {
    /// Draws two numbers, uniform on [0, 1): one decides what step t is fed, the other the token
    /// chosen at step t−1.
    fn draw(&self, t: usize, sequence: usize) -> (f64, f64) {
        let words = philox([self.seed, 0], [t as u64, self.step, self.keys[sequence], 0]);
        (uniform(words[0]), uniform(words[1]))
    }
}

/// The results of [`with_numbers`].
pub struct Numbers<R> {
    /// h (T, B, H)
    pub h: Vec<R>,
    /// o (T, B, O)
    pub o: Vec<R>,
    /// z (T + 1, B, O): the feedback into each step, and into a step after the last
    pub z: Vec<R>,
    /// (T + 1, B): whether that is the network's own output
    pub own: Vec<bool>,
}

/// The results of [`with_tokens`].
pub struct Tokens<R> {
    /// h (T, B, H)
    pub h: Vec<R>,
    /// o (T, B, O)
    pub o: Vec<R>,
    /// (T + 1, B): the token fed to each step, and to a step after the last
    pub ids: Vec<i64>,
    /// (T + 1, B): whether that is the network's own choice
    pub own: Vec<bool>,
}

/// Runs the network with o or ŷ fed back, starting from z_0 = `first` (B, O) or zero.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn with_numbers<R: Real>(
    network: Network<'_, R>,
    what: Own,
    first: Option<&[R]>,
    (teacher, schedule): (Teacher<'_, R>, Schedule<'_>),
) -> Result<Numbers<R>> {
    let Sizes { steps, batch, hidden, outputs, fed, .. } = network.sizes;
    let w = Packed::transposed(FORWARD, network.weights.w, hidden, fed)?;
    let mut z = parallel::scratch(FORWARD, &[steps + 1, batch, fed])?;
    match first {
        Some(first) => z[..batch * fed].copy_from_slice(first),
        None => z[..batch * fed].fill(R::zero()),
    }
    let ranges = network.shards()?;
    let mut lines = by_sequences(&mut z, (batch, fed), &ranges).into_iter();
    let (h, o, own) = network.run(&ranges, |range| NumberLine {
        w: &w,
        what,
        teacher,
        schedule,
        place: Place { batch, outputs, range, lengths: network.lengths },
        z: lines.next().unwrap_or_default(),
    })?;
    Ok(Numbers { h, o, z, own })
}

/// Runs the network with a token fed back that is chosen from o. `table` (O, H) holds the term that each
/// token adds to a. Starts with the tokens `first` (B), or with none.
///
/// # Errors
/// [`crate::Error::Value`] if scores are not finite; [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn with_tokens<R: Real>(
    network: Network<'_, R>,
    (temperature, table): (f64, &[R]),
    first: Option<&[i64]>,
    (teacher, schedule): (Option<&[i64]>, Schedule<'_>),
) -> Result<Tokens<R>> {
    let Sizes { steps, batch, outputs, .. } = network.sizes;
    let mut ids = filled(FORWARD, (steps + 1) * batch, NOTHING)?;
    if let Some(first) = first {
        ids[..batch].copy_from_slice(first);
    }
    let ranges = network.shards()?;
    let mut lines = by_sequences(&mut ids, (batch, 1), &ranges).into_iter();
    let (h, o, own) = network.run(&ranges, |range| TokenLine {
        table,
        sampling: Sampling { temperature, top_k: 0, top_p: 1.0 },
        teacher,
        schedule,
        place: Place { batch, outputs, range, lengths: network.lengths },
        ids: lines.next().unwrap_or_default(),
    })?;
    Ok(Tokens { h, o, ids, own })
}

/// The feedback from step to step, for some of the sequences.
trait Line<R>: Send {
    /// Computes a_t ← a_t + W z_t.
    fn add(&self, t: usize, a: &mut [R]);
    /// Computes z_{t+1} from o_t or y_t; sets `own` where it is the network's own output.
    fn pass_on(&mut self, t: usize, o: &[R], own: &mut [bool]) -> Result<()>;
}

/// The network and its input.
#[derive(Clone, Copy)]
pub struct Network<'a, R> {
    /// f
    pub activation: Activation,
    /// The sizes
    pub sizes: Sizes,
    /// The parameters
    pub weights: Weights<'a, R>,
    /// x (T, B, I)
    pub x: &'a [R],
    /// Lengths (B): steps from a sequence's length on are zero.
    pub lengths: Option<&'a [i64]>,
}

/// Some of the sequences: their h, o and own, one slice per step.
struct Shard<'a, R, L> {
    range: Range<usize>,
    h: Vec<&'a mut [R]>,
    o: Vec<&'a mut [R]>,
    own: Vec<&'a mut [bool]>,
    line: L,
}

impl<R: Real> Network<'_, R> {
    fn shards(&self) -> Result<Vec<Range<usize>>> {
        parallel::ranges(self.sizes.batch, linear::least_rows(self.sizes.operations() * self.sizes.steps))
    }

    /// Runs every range of sequences through time; returns (h, o, own).
    fn run<L: Line<R>>(
        &self,
        ranges: &[Range<usize>],
        mut line: impl FnMut(Range<usize>) -> L,
    ) -> Result<(Vec<R>, Vec<R>, Vec<bool>)> {
        let Sizes { steps, batch, inputs, hidden, outputs, .. } = self.sizes;
        let mut h = parallel::scratch(FORWARD, &[steps, batch, hidden])?;
        let mut o = parallel::scratch(FORWARD, &[steps, batch, outputs])?;
        let mut own = filled(FORWARD, (steps + 1) * batch, false)?;
        let u = Packed::transposed(FORWARD, self.weights.u, hidden, inputs)?;
        let v = Packed::transposed(FORWARD, self.weights.v, outputs, hidden)?;
        let shards: Vec<_> = ranges
            .iter()
            .zip(by_sequences(&mut h, (batch, hidden), ranges))
            .zip(by_sequences(&mut o, (batch, outputs), ranges))
            .zip(by_sequences(&mut own, (batch, 1), ranges))
            .map(|(((range, h), o), own)| Shard {
                range: range.clone(),
                h,
                o,
                own,
                line: line(range.clone()),
            })
            .collect();
        parallel::for_each(shards, |mut shard, stop| {
            for t in 0..steps {
                if t.is_multiple_of(AHEAD) {
                    self.project(&u, t, &mut shard);
                }
                self.step(&v, t, &mut shard)?;
                if stop.requested() {
                    break;
                }
            }
            Ok(())
        })?;
        Ok((h, o, own))
    }

    /// Computes a ← b + U x for the next [`AHEAD`] steps.
    fn project<L>(&self, u: &Packed<R>, t: usize, shard: &mut Shard<'_, R, L>) {
        let Sizes { batch, inputs, .. } = self.sizes;
        for (ahead, a) in shard.h[t..].iter_mut().take(AHEAD).enumerate() {
            let x = &self.x[((t + ahead) * batch + shard.range.start) * inputs..];
            multiply(x, shard.range.len(), u, Start::Row(self.weights.b), a);
        }
    }

    fn step<L: Line<R>>(&self, v: &Packed<R>, t: usize, shard: &mut Shard<'_, R, L>) -> Result<()> {
        let (a, o) = (&mut *shard.h[t], &mut *shard.o[t]);
        shard.line.add(t, a);
        activate(self.activation, a);
        multiply(a, shard.range.len(), v, Start::Row(self.weights.c), o);
        for (i, sequence) in shard.range.clone().enumerate() {
            if ended(self.lengths, t, sequence) {
                let Sizes { hidden, outputs, .. } = self.sizes;
                a[i * hidden..][..hidden].fill(R::zero());
                o[i * outputs..][..outputs].fill(R::zero());
            }
        }
        shard.line.pass_on(t, o, shard.own[t + 1])
    }
}

/// The sequences of a line, and their place in the batch.
struct Place<'a> {
    batch: usize,
    outputs: usize,
    range: Range<usize>,
    lengths: Option<&'a [i64]>,
}

struct NumberLine<'a, R: Real> {
    w: &'a Packed<R>,
    what: Own,
    teacher: Teacher<'a, R>,
    schedule: Schedule<'a>,
    place: Place<'a>,
    z: Vec<&'a mut [R]>,
}

impl<R: Real> Line<R> for NumberLine<'_, R> {
    fn add(&self, t: usize, a: &mut [R]) {
        multiply(self.z[t], self.place.range.len(), self.w, Start::Accumulate, a);
    }

    fn pass_on(&mut self, t: usize, o: &[R], own: &mut [bool]) -> Result<()> {
        let Place { batch, outputs, range, lengths } = &self.place;
        let rows = self.z[t + 1].chunks_exact_mut(*outputs).zip(o.chunks_exact(*outputs));
        for (((z, o), own), sequence) in rows.zip(own).zip(range.clone()) {
            if ended(*lengths, t, sequence) {
                z.fill(R::zero());
                continue;
            }
            *own = match self.teacher {
                Teacher::Absent => true,
                _ => self.schedule.draw(t + 1, sequence).0 >= self.schedule.forcing,
            };
            let at = t * batch + sequence;
            match (*own, self.teacher) {
                (true, _) | (_, Teacher::Absent) => feed(self.what, o, z),
                (_, Teacher::Values(y)) => z.copy_from_slice(&y[at * outputs..][..*outputs]),
                (_, Teacher::Ids(ids)) => {
                    z.fill(R::zero());
                    if ids[at] != NOTHING {
                        z[ids[at] as usize] = R::one();
                    }
                }
            }
        }
        Ok(())
    }
}

/// Sets z ← o or softmax(o).
fn feed<R: Real>(what: Own, o: &[R], z: &mut [R]) {
    z.copy_from_slice(o);
    if what == Own::Softmax {
        let (_, sum) = exponentials(z);
        z.iter_mut().for_each(|z| *z /= sum);
    }
}

struct TokenLine<'a, R> {
    table: &'a [R],
    sampling: Sampling,
    teacher: Option<&'a [i64]>,
    schedule: Schedule<'a>,
    place: Place<'a>,
    ids: Vec<&'a mut [i64]>,
}

impl<R: Real> Line<R> for TokenLine<'_, R> {
    fn add(&self, t: usize, a: &mut [R]) {
        let width = a.len() / self.place.range.len().max(1);
        for (a, &id) in a.chunks_exact_mut(width.max(1)).zip(&*self.ids[t]) {
            add_row(self.table, id, a);
        }
    }

    fn pass_on(&mut self, t: usize, o: &[R], own: &mut [bool]) -> Result<()> {
        let Place { batch, outputs, range, lengths } = &self.place;
        let rows = self.ids[t + 1].iter_mut().zip(o.chunks_exact(*outputs));
        for (((id, o), own), sequence) in rows.zip(own).zip(range.clone()) {
            if ended(*lengths, t, sequence) {
                continue;
            }
            let (coin, choice) = self.schedule.draw(t + 1, sequence);
            match self.teacher {
                Some(teacher) if coin < self.schedule.forcing => *id = teacher[t * batch + sequence],
                _ => (*own, *id) = (true, self.sampling.choose(o, choice)? as i64),
            }
        }
        Ok(())
    }
}
