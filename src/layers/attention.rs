//! Attention: at each target step, a mean of the source's values, weighted by how well their keys
//! match the query.
//!
//! e_ts = q_t · k_s, or v · tanh(q_t + k_s) (additive); α_t = softmax(e_t) over the source's own steps;
//! context_t = Σ_s α_ts v_s. (Bahdanau, Cho and Bengio 2015; Luong, Pham and Manning 2015. Queries and keys
//! are projected beforehand by linear layers.)
//!
//! Each sequence is a separate task: its scores for all target steps are one product. Positions after a
//! sequence's end are never read.

use std::ops::Range;

use super::linear;
use super::pooling::dot;
use crate::error::Result;
use crate::kernels::{self, Activation, Packed, Real, Rows, RowsMut, Start};
use crate::parallel;

const FORWARD: &str = "Attention.forward";
const BACKWARD: &str = "Attention.backward";

/// The lengths of B pairs of a source and a target.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    /// T
    pub steps: usize,
    /// S
    pub source_steps: usize,
    /// Number of steps of each target, at most T.
    pub lengths: &'a [usize],
    /// Number of steps of each source, at most S.
    pub source_lengths: &'a [usize],
}

/// How the score of a key is computed.
#[derive(Clone, Copy)]
pub enum Score<'a, R> {
    /// q · k
    Product,
    /// v · tanh(q + k), with this v (A)
    Additive(&'a [R]),
}

/// The queries, and the keys and values they attend to.
#[derive(Clone, Copy)]
pub struct Asked<'a, R> {
    /// q (T, B, A)
    pub q: &'a [R],
    /// k (S, B, A)
    pub keys: &'a [R],
    /// v (S, B, K)
    pub values: &'a [R],
    /// A
    pub width: usize,
    /// K
    pub value_width: usize,
}

/// The gradients that [`backward`] returns.
pub struct Gradients<R> {
    /// dq (T, B, A)
    pub q: Vec<R>,
    /// dk (S, B, A)
    pub keys: Vec<R>,
    /// dv (S, B, K)
    pub values: Vec<R>,
}

impl Pairs<'_> {
    fn batch(&self) -> usize {
        self.lengths.len()
    }

    /// Divides the pairs among the threads; `width` is the cost of one pair of a target step
    /// and a source step.
    fn parts(&self, width: usize) -> Result<Vec<Range<usize>>> {
        parallel::ranges(self.batch(), linear::least_rows(4 * self.steps * self.source_steps * width))
    }
}

/// A time-major matrix (steps, B, width), accessed by sequence.
#[derive(Clone, Copy)]
struct Of<'a, R> {
    data: &'a [R],
    width: usize,
    batch: usize,
}

impl<'a, R: Real> Of<'a, R> {
    fn stride(self) -> usize {
        self.batch * self.width
    }

    /// Returns the first `count` steps of a sequence.
    fn rows(self, b: usize, count: usize) -> Rows<'a, R> {
        let data = if count == 0 { &[] } else { &self.data[b * self.width..] };
        Rows { data, stride: self.stride(), count }
    }

    /// Packs these rows as the right factor of a product: (count, width).
    fn packed(self, op: &'static str, b: usize, count: usize) -> Result<Packed<R>> {
        Packed::new(op, &self.data[b * self.width..], (count, self.stride()), (self.width, 1))
    }

    /// Packs their transpose: (width, count).
    fn packed_across(self, op: &'static str, b: usize, count: usize) -> Result<Packed<R>> {
        Packed::new(op, &self.data[b * self.width..], (self.width, 1), (count, self.stride()))
    }

    /// Returns one step of a sequence.
    fn row(self, t: usize, b: usize) -> &'a [R] {
        &self.data[(t * self.batch + b) * self.width..][..self.width]
    }
}

impl<'a, R: Real> Asked<'a, R> {
    /// Returns q, k and v, accessed by sequence.
    fn by_sequence(&self, batch: usize) -> [Of<'a, R>; 3] {
        let of = |data, width| Of { data, width, batch };
        [of(self.q, self.width), of(self.keys, self.width), of(self.values, self.value_width)]
    }
}

/// Computes the contexts (T, B, K) and α (B, T, S). Both are zero after a target's end and for a
/// source without steps.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(of: Pairs<'_>, asked: Asked<'_, R>, score: Score<'_, R>) -> Result<(Vec<R>, Vec<R>)> {
    let (batch, most, width) = (of.batch(), of.source_steps, asked.value_width);
    let mut alpha = parallel::zeros(FORWARD, &[batch, of.steps, most])?;
    let mut contexts = parallel::scratch(FORWARD, &[of.steps, batch, width])?;
    let ranges = of.parts(asked.width + width)?;
    let tasks = parallel::split_rows(&mut alpha, &ranges, of.steps * most)
        .into_iter()
        .zip(by_sequence(&mut contexts, (batch, width), &ranges))
        .zip(&ranges)
        .collect();
    parallel::for_each(tasks, |((alpha, contexts), range), stop| {
        let (mut room, mut context) = (Vec::new(), Vec::new());
        for (i, (b, rows)) in range.clone().zip(contexts).enumerate() {
            let alpha = &mut alpha[i * of.steps * most..][..of.lengths[b] * most];
            attend(of, (asked, score), b, alpha, (&mut room, &mut context))?;
            spread(&context, rows);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok((contexts, alpha))
}

/// Computes α (T_b, S) and the contexts (T_b, K) of one sequence; no contexts if there is
/// nothing to attend to.
fn attend<R: Real>(
    of: Pairs<'_>,
    (asked, score): (Asked<'_, R>, Score<'_, R>),
    b: usize,
    alpha: &mut [R],
    (room, context): (&mut Vec<R>, &mut Vec<R>),
) -> Result<()> {
    let (steps, sources, most) = (of.lengths[b], of.source_lengths[b], of.source_steps);
    let [q, k, v] = asked.by_sequence(of.batch());
    if steps == 0 || sources == 0 {
        context.clear();
        return Ok(());
    }
    match score {
        Score::Product => {
            let keys = k.packed_across(FORWARD, b, sources)?;
            keys.multiply(q.rows(b, steps), Start::Zero, RowsMut { data: &mut *alpha, stride: most });
        }
        Score::Additive(weights) => {
            for (t, e) in alpha.chunks_exact_mut(most).enumerate() {
                additive(weights, q.row(t, b), (0..sources).map(|s| k.row(s, b)), room, e);
            }
        }
    }
    alpha.chunks_exact_mut(most).for_each(|e| softmax(&mut e[..sources]));
    context.resize(steps * asked.value_width, R::zero());
    let into = RowsMut { data: &mut context[..], stride: asked.value_width };
    v.packed(FORWARD, b, sources)?.multiply(
        Rows { data: alpha, stride: most, count: steps },
        Start::Zero,
        into,
    );
    Ok(())
}

/// Computes e_s = v · tanh(q + k_s) and leaves tanh(q + k_s) in `room` (source steps, A).
pub(super) fn additive<'a, R: Real>(
    v: &[R],
    q: &[R],
    keys: impl Iterator<Item = &'a [R]>,
    room: &mut Vec<R>,
    e: &mut [R],
) {
    room.clear();
    for key in keys {
        room.extend(q.iter().zip(key).map(|(&q, &k)| q + k));
    }
    kernels::activate(Activation::Tanh, room);
    for (e, u) in e.iter_mut().zip(room.chunks_exact(v.len().max(1))) {
        *e = dot(v, u);
    }
}

/// Turns scores into attention weights, in place.
pub(super) fn softmax<R: Real>(e: &mut [R]) {
    let (_, sum) = kernels::exponentials(e);
    let factor = R::one() / sum;
    e.iter_mut().for_each(|e| *e *= factor);
}

/// Computes all gradients from the upstream gradients ∂L/∂context (T, B, K) and, if given, a further ∂L/∂α
/// (B, T, S). The gradient of v (A) of additive scores is added to `dscore`.
///
/// With dα_ts = dcontext_t · v_s + the further gradient: de_ts = α_ts (dα_ts − Σ_s α_ts dα_ts) and
/// dv_s = Σ_t α_ts dcontext_t. Then dq_t = Σ_s de_ts k_s and dk_s = Σ_t de_ts q_t. For additive scores,
/// with u = tanh(q_t + k_s), dq_t and dk_s are sums of de_ts v ⊙ (1 − u²), and the gradient of the vector v
/// is Σ_ts de_ts u.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    of: Pairs<'_>,
    asked: Asked<'_, R>,
    (score, dscore): (Score<'_, R>, &mut [R]),
    alpha: &[R],
    (dcontext, dalpha): (&[R], Option<&[R]>),
) -> Result<Gradients<R>> {
    let (batch, most, width, wide) = (of.batch(), of.source_steps, asked.width, asked.value_width);
    let mut q = parallel::scratch(BACKWARD, &[of.steps, batch, width])?;
    let mut keys = parallel::scratch(BACKWARD, &[most, batch, width])?;
    let mut values = parallel::scratch(BACKWARD, &[most, batch, wide])?;
    let mut parts = parallel::zeros::<R>(BACKWARD, &[batch, dscore.len()])?;
    let ranges = of.parts(2 * (width + wide))?;
    let tasks = by_sequence(&mut q, (batch, width), &ranges)
        .into_iter()
        .zip(by_sequence(&mut keys, (batch, width), &ranges))
        .zip(by_sequence(&mut values, (batch, wide), &ranges))
        .zip(parallel::split_rows(&mut parts, &ranges, dscore.len()))
        .zip(&ranges)
        .map(|((((q, k), v), score), range)| (q.into_iter().zip(k).zip(v), score, range))
        .collect();
    let (size, pass) = (dscore.len(), Pass { of, asked, score, alpha, dcontext, dalpha });
    parallel::for_each(tasks, |(rows, score, range), stop| {
        let mut room = Room::default();
        for (i, (b, ((q, k), v))) in range.clone().zip(rows).enumerate() {
            pass.back(b, &mut room, &mut score[i * size..(i + 1) * size])?;
            spread(&room.q, q);
            spread(&room.k, k);
            spread(&room.v, v);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    // Summed in the order of the sequences, whichever threads computed the parts.
    for part in parts.chunks_exact(size.max(1)) {
        dscore.iter_mut().zip(part).for_each(|(sum, &x)| *sum += x);
    }
    Ok(Gradients { q, keys, values })
}

/// The inputs of the backward pass.
struct Pass<'a, R> {
    of: Pairs<'a>,
    asked: Asked<'a, R>,
    score: Score<'a, R>,
    alpha: &'a [R],
    dcontext: &'a [R],
    dalpha: Option<&'a [R]>,
}

/// The gradients of one sequence, step by step (empty if there is nothing to attend to), and scratch buffers.
struct Room<R> {
    q: Vec<R>,
    k: Vec<R>,
    v: Vec<R>,
    /// ∂L/∂e (T_b, S)
    de: Vec<R>,
    across: Vec<R>,
    tanh: Vec<R>,
}

impl<R> Default for Room<R> {
    fn default() -> Self {
        let [q, k, v, de, across, tanh] = std::array::from_fn(|_| Vec::new());
        Room { q, k, v, de, across, tanh }
    }
}

impl<R: Real> Pass<'_, R> {
    /// Runs the backward pass of one sequence; adds to the gradient of v of additive scores.
    fn back(&self, b: usize, room: &mut Room<R>, dscore: &mut [R]) -> Result<()> {
        let (of, width, wide) = (self.of, self.asked.width, self.asked.value_width);
        let (steps, sources, most) = (of.lengths[b], of.source_lengths[b], of.source_steps);
        let reach = steps.min(sources).min(1);
        room.q.resize(steps * width * reach, R::zero());
        room.k.resize(sources * width * reach, R::zero());
        room.v.resize(sources * wide * reach, R::zero());
        if reach == 0 {
            return Ok(());
        }
        let at = b * of.steps * most;
        let alpha = &self.alpha[at..at + steps * most];
        let [_, _, v] = self.asked.by_sequence(of.batch());
        let dcontext = Of { data: self.dcontext, width: wide, batch: of.batch() };
        room.de.resize(steps * most, R::zero());
        let start = match self.dalpha {
            Some(given) => {
                room.de.copy_from_slice(&given[at..at + steps * most]);
                Start::Accumulate
            }
            None => Start::Zero,
        };
        let scores = RowsMut { data: &mut room.de[..], stride: most };
        v.packed_across(BACKWARD, b, sources)?.multiply(dcontext.rows(b, steps), start, scores);
        for (de, alpha) in room.de.chunks_exact_mut(most).zip(alpha.chunks_exact(most)) {
            through_softmax(&mut de[..sources], &alpha[..sources]);
        }
        let dv = RowsMut { data: &mut room.v[..], stride: wide };
        let rows = transposed(alpha, most, sources, &mut room.across);
        dcontext.packed(BACKWARD, b, steps)?.multiply(rows, Start::Zero, dv);
        match self.score {
            Score::Product => self.product(b, room),
            Score::Additive(v) => {
                self.additive(b, v, room, dscore);
                Ok(())
            }
        }
    }

    /// Computes dq = de K and dk = deᵀ Q.
    fn product(&self, b: usize, room: &mut Room<R>) -> Result<()> {
        let (steps, sources) = (self.of.lengths[b], self.of.source_lengths[b]);
        let (most, width) = (self.of.source_steps, self.asked.width);
        let [q, k, _] = self.asked.by_sequence(self.of.batch());
        let rows = Rows { data: &room.de[..], stride: most, count: steps };
        let dq = RowsMut { data: &mut room.q[..], stride: width };
        k.packed(BACKWARD, b, sources)?.multiply(rows, Start::Zero, dq);
        let rows = transposed(&room.de, most, sources, &mut room.across);
        let dk = RowsMut { data: &mut room.k[..], stride: width };
        q.packed(BACKWARD, b, steps)?.multiply(rows, Start::Zero, dk);
        Ok(())
    }

    /// Computes the same through v · tanh(q + k), which is recomputed: T·S·A values are too many to keep.
    fn additive(&self, b: usize, v: &[R], room: &mut Room<R>, dscore: &mut [R]) {
        let (sources, most, width) = (self.of.source_lengths[b], self.of.source_steps, v.len().max(1));
        let [q, k, _] = self.asked.by_sequence(self.of.batch());
        let Room { q: dq, k: dk, de, across: scores, tanh, .. } = room;
        scores.resize(sources, R::zero());
        dq.fill(R::zero());
        dk.fill(R::zero());
        for ((t, de), dq) in de.chunks_exact(most).enumerate().zip(dq.chunks_exact_mut(width)) {
            additive(v, q.row(t, b), (0..sources).map(|s| k.row(s, b)), tanh, scores);
            for ((&de, u), dk) in de.iter().zip(tanh.chunks_exact(width)).zip(dk.chunks_exact_mut(width)) {
                let sums = dq.iter_mut().zip(dk).zip(dscore.iter_mut());
                for (((dq, dk), dscore), (&u, &v)) in sums.zip(u.iter().zip(v)) {
                    let d = de * v * (R::one() - u * u);
                    *dq += d;
                    *dk += d;
                    *dscore += de * u;
                }
            }
        }
    }
}

/// Turns dα into de = α ⊙ (dα − Σ α dα), in place.
fn through_softmax<R: Real>(de: &mut [R], alpha: &[R]) {
    let mean = de.iter().zip(alpha).fold(R::zero(), |sum, (&d, &a)| sum + a * d);
    de.iter_mut().zip(alpha).for_each(|(d, &a)| *d = a * (*d - mean));
}

/// Returns the first `count` columns of a matrix with row stride `stride`, as rows.
fn transposed<'a, R: Real>(matrix: &[R], stride: usize, count: usize, room: &'a mut Vec<R>) -> Rows<'a, R> {
    let rows = matrix.len() / stride.max(1);
    room.clear();
    for column in 0..count {
        room.extend(matrix.iter().skip(column).step_by(stride));
    }
    Rows { data: room, stride: rows, count }
}

/// Returns the rows of a time-major matrix (steps, B, width), grouped by range and by sequence.
fn by_sequence<'a, R>(
    data: &'a mut [R],
    (batch, width): (usize, usize),
    ranges: &[Range<usize>],
) -> Vec<Vec<Vec<&'a mut [R]>>> {
    let mut sequences: Vec<Vec<&mut [R]>> = Vec::new();
    sequences.resize_with(batch, Vec::new);
    for (i, row) in data.chunks_exact_mut(width.max(1)).enumerate() {
        sequences[i % batch].push(row);
    }
    let mut sequences = sequences.into_iter();
    ranges.iter().map(|range| sequences.by_ref().take(range.len()).collect()).collect()
}

/// Copies a sequence's results, stored step after step, to its rows; the remaining rows become 0.
fn spread<R: Real>(found: &[R], rows: Vec<&mut [R]>) {
    let mut rest = found;
    for row in rows {
        match rest.split_at_checked(row.len()) {
            Some((own, after)) => {
                row.copy_from_slice(own);
                rest = after;
            }
            None => row.fill(R::zero()),
        }
    }
}
