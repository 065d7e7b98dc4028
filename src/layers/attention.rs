//! Attention: at every step of a target sequence a mean of the source's values, weighed by how well their keys fit.
//!
//! e_ts = q_t · k_s, or v · tanh(q_t + k_s) (additive); α_t = softmax(e_t) over the source's own steps;
//! context_t = Σ_s α_ts v_s. (Bahdanau, Cho and Bengio 2015; Luong, Pham and Manning 2015. What projects queries and keys
//! beforehand are linear layers.)
//!
//! Each sequence is a task of its own: its scores for all target steps are one product. What stands after a sequence's end
//! is never read.

use std::ops::Range;

use super::linear;
use super::pooling::dot;
use crate::error::Result;
use crate::kernels::{self, Activation, Packed, Real, Rows, RowsMut, Start};
use crate::parallel::{self, Stop};

const FORWARD: &str = "Attention.forward";
const BACKWARD: &str = "Attention.backward";

/// Numbers of a step that make the copy of several worth a thread.
const GRAIN: usize = 1 << 15;

/// The steps of B pairs of a source and a target.
#[derive(Clone, Copy)]
pub struct Pairs<'a> {
    /// T
    pub steps: usize,
    /// S
    pub source_steps: usize,
    /// For each target its steps, at most T.
    pub lengths: &'a [usize],
    /// For each source its steps, at most S.
    pub source_lengths: &'a [usize],
}

/// How a key's score is found.
#[derive(Clone, Copy)]
pub enum Score<'a, R> {
    /// q · k
    Product,
    /// v · tanh(q + k), with this v (A).
    Additive(&'a [R]),
}

/// What is asked, and of what.
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

/// What [`backward`] gives.
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

    /// Pairs in as many parts as threads are worth it, where a step costs so much for each of the source's.
    fn parts(&self, width: usize) -> Result<Vec<Range<usize>>> {
        parallel::ranges(self.batch(), linear::least_rows(4 * self.steps * self.source_steps * width))
    }
}

/// Every sequence's rows of a time-major matrix (steps, B, width).
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

    /// The first `count` steps of a sequence.
    fn rows(self, b: usize, count: usize) -> Rows<'a, R> {
        let data = if count == 0 { &[] } else { &self.data[b * self.width..] };
        Rows { data, stride: self.stride(), count }
    }

    /// They as the matrix on the right of a product: (count, width).
    fn packed(self, op: &'static str, b: usize, count: usize) -> Result<Packed<R>> {
        Packed::new(op, &self.data[b * self.width..], (count, self.stride()), (self.width, 1))
    }

    /// Their transpose (width, count).
    fn packed_across(self, op: &'static str, b: usize, count: usize) -> Result<Packed<R>> {
        Packed::new(op, &self.data[b * self.width..], (self.width, 1), (count, self.stride()))
    }

    /// One step of a sequence.
    fn row(self, t: usize, b: usize) -> &'a [R] {
        &self.data[(t * self.batch + b) * self.width..][..self.width]
    }
}

impl<'a, R: Real> Asked<'a, R> {
    /// q, k and v by sequence.
    fn by_sequence(&self, batch: usize) -> [Of<'a, R>; 3] {
        let of = |data, width| Of { data, width, batch };
        [of(self.q, self.width), of(self.keys, self.width), of(self.values, self.value_width)]
    }
}

/// The contexts (T, B, K), and α (B, T, S): zero after a sequence's end, as the context of a source without steps.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(of: Pairs<'_>, asked: Asked<'_, R>, score: Score<'_, R>) -> Result<(Vec<R>, Vec<R>)> {
    let (batch, most, width) = (of.batch(), of.source_steps, asked.value_width);
    let mut alpha = parallel::zeros(FORWARD, &[batch, of.steps, most])?;
    let mut contexts = parallel::zeros(FORWARD, &[batch, of.steps, width])?;
    let [q, k, v] = asked.by_sequence(batch);
    let ranges = of.parts(asked.width + width)?;
    let tasks = parallel::split_rows(&mut alpha, &ranges, of.steps * most)
        .into_iter()
        .zip(parallel::split_rows(&mut contexts, &ranges, of.steps * width))
        .zip(&ranges)
        .collect();
    parallel::for_each(tasks, |((alpha, contexts), range), stop| {
        let mut room = Vec::new();
        for (i, b) in range.clone().enumerate() {
            let (steps, sources) = (of.lengths[b], of.source_lengths[b]);
            if steps == 0 || sources == 0 {
                continue;
            }
            let alpha = &mut alpha[i * of.steps * most..][..steps * most];
            match score {
                Score::Product => {
                    let keys = k.packed_across(FORWARD, b, sources)?;
                    keys.multiply(q.rows(b, steps), Start::Zero, RowsMut { data: alpha, stride: most });
                }
                Score::Additive(weights) => {
                    for (t, e) in alpha.chunks_exact_mut(most).enumerate() {
                        let keys = (0..sources).map(|s| k.row(s, b));
                        additive(weights, q.row(t, b), keys, &mut room, e);
                    }
                }
            }
            alpha.chunks_exact_mut(most).for_each(|e| softmax(&mut e[..sources]));
            let alpha = Rows { data: alpha, stride: most, count: steps };
            let into = RowsMut { data: &mut contexts[i * of.steps * width..], stride: width };
            v.packed(FORWARD, b, sources)?.multiply(alpha, Start::Zero, into);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok((time_major(FORWARD, &contexts, (batch, of.steps, width))?, alpha))
}

/// e_s = v · tanh(q + k_s); leaves tanh(q + k_s) in the room (source's steps, A).
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

/// Scores become shares.
pub(super) fn softmax<R: Real>(e: &mut [R]) {
    let (_, sum) = kernels::exponentials(e);
    let factor = R::one() / sum;
    e.iter_mut().for_each(|e| *e *= factor);
}

/// All gradients, of dcontext (T, B, K) and of what else is said of α (B, T, S); dv (A) of additive scores is added to `dscore`.
///
/// With dα_ts = dcontext_t · v_s + what else there is: de_ts = α_ts (dα_ts − Σ_s α_ts dα_ts), dv_s = Σ_t α_ts dcontext_t; then
/// dq_t = Σ_s de_ts k_s and dk_s = Σ_t de_ts q_t, or, additive with u = tanh(q_t + k_s), dq_t and dk_s are sums of de_ts v ⊙ (1 − u²) and
/// that of the vector v is Σ_ts de_ts u.
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
    let mut dq = parallel::zeros(BACKWARD, &[batch, of.steps, width])?;
    let mut dk = parallel::zeros(BACKWARD, &[batch, most, width])?;
    let mut dv = parallel::zeros(BACKWARD, &[batch, most, wide])?;
    let mut parts = parallel::zeros::<R>(BACKWARD, &[batch, dscore.len()])?;
    let ranges = of.parts(2 * (width + wide))?;
    let tasks = parallel::split_rows(&mut dq, &ranges, of.steps * width)
        .into_iter()
        .zip(parallel::split_rows(&mut dk, &ranges, most * width))
        .zip(parallel::split_rows(&mut dv, &ranges, most * wide))
        .zip(parallel::split_rows(&mut parts, &ranges, dscore.len()))
        .zip(&ranges)
        .map(|((((q, k), v), score), range)| (Into { q, k, v, score }, range))
        .collect();
    let pass = Pass { of, asked, score, alpha, dcontext, dalpha };
    parallel::for_each(tasks, |(into, range): (Into<'_, R>, &Range<usize>), stop| {
        pass.back(range, into, stop)
    })?;
    // In the order of the sequences, whoever computed the parts.
    for part in parts.chunks_exact(dscore.len().max(1)) {
        dscore.iter_mut().zip(part).for_each(|(sum, &x)| *sum += x);
    }
    Ok(Gradients {
        q: time_major(BACKWARD, &dq, (batch, of.steps, width))?,
        keys: time_major(BACKWARD, &dk, (batch, most, width))?,
        values: time_major(BACKWARD, &dv, (batch, most, wide))?,
    })
}

/// What the way back has of the way forward.
struct Pass<'a, R> {
    of: Pairs<'a>,
    asked: Asked<'a, R>,
    score: Score<'a, R>,
    alpha: &'a [R],
    dcontext: &'a [R],
    dalpha: Option<&'a [R]>,
}

/// Where some sequences' gradients go, sequence after sequence.
struct Into<'a, R> {
    q: &'a mut [R],
    k: &'a mut [R],
    v: &'a mut [R],
    score: &'a mut [R],
}

impl<R: Real> Pass<'_, R> {
    fn back(&self, range: &Range<usize>, into: Into<'_, R>, stop: &Stop<'_>) -> Result<()> {
        let (of, width, wide) = (self.of, self.asked.width, self.asked.value_width);
        let (batch, most) = (of.batch(), of.source_steps);
        let [_, _, v] = self.asked.by_sequence(batch);
        let dcontext = Of { data: self.dcontext, width: wide, batch };
        let (mut de, mut across, mut room) = (Vec::new(), Vec::new(), Vec::new());
        for (i, b) in range.clone().enumerate() {
            let (steps, sources) = (of.lengths[b], of.source_lengths[b]);
            if steps == 0 || sources == 0 {
                continue;
            }
            let at = b * of.steps * most;
            let alpha = &self.alpha[at..at + steps * most];
            let start = match self.dalpha {
                Some(given) => {
                    de.clear();
                    de.extend_from_slice(&given[at..at + steps * most]);
                    Start::Accumulate
                }
                None => {
                    de.resize(steps * most, R::zero());
                    Start::Zero
                }
            };
            let scores = RowsMut { data: &mut de[..], stride: most };
            v.packed_across(BACKWARD, b, sources)?.multiply(dcontext.rows(b, steps), start, scores);
            for (de, alpha) in de.chunks_exact_mut(most).zip(alpha.chunks_exact(most)) {
                through_softmax(&mut de[..sources], &alpha[..sources]);
            }
            let dv = RowsMut { data: &mut into.v[i * most * wide..], stride: wide };
            let rows = transposed(alpha, most, sources, &mut across);
            dcontext.packed(BACKWARD, b, steps)?.multiply(rows, Start::Zero, dv);
            let dq = &mut into.q[i * of.steps * width..][..steps * width];
            let dk = &mut into.k[i * most * width..][..sources * width];
            match self.score {
                Score::Product => self.product(b, &de, &mut across, (dq, dk))?,
                Score::Additive(v) => {
                    let dscore = &mut into.score[i * width..(i + 1) * width];
                    self.additive(b, v, &de, &mut room, (dq, dk, dscore));
                }
            }
            if stop.requested() {
                break;
            }
        }
        Ok(())
    }

    /// dq = de K and dK = deᵀ Q, of one sequence's de (T_b, S).
    fn product(&self, b: usize, de: &[R], across: &mut Vec<R>, (dq, dk): (&mut [R], &mut [R])) -> Result<()> {
        let (steps, sources) = (self.of.lengths[b], self.of.source_lengths[b]);
        let (most, width) = (self.of.source_steps, self.asked.width);
        let [q, k, _] = self.asked.by_sequence(self.of.batch());
        let rows = Rows { data: de, stride: most, count: steps };
        k.packed(BACKWARD, b, sources)?.multiply(rows, Start::Zero, RowsMut { data: dq, stride: width });
        let rows = transposed(de, most, sources, across);
        q.packed(BACKWARD, b, steps)?.multiply(rows, Start::Zero, RowsMut { data: dk, stride: width });
        Ok(())
    }

    /// The same through v · tanh(q + k), which is computed once more: T·S·A numbers are too many to keep.
    fn additive(
        &self,
        b: usize,
        v: &[R],
        de: &[R],
        room: &mut Vec<R>,
        (dq, dk, dscore): (&mut [R], &mut [R], &mut [R]),
    ) {
        let (sources, most, width) =
            (self.of.source_lengths[b], self.of.source_steps, self.asked.width.max(1));
        let [q, k, _] = self.asked.by_sequence(self.of.batch());
        let mut scores = vec![R::zero(); sources];
        for ((t, de), dq) in de.chunks_exact(most).enumerate().zip(dq.chunks_exact_mut(width)) {
            additive(v, q.row(t, b), (0..sources).map(|s| k.row(s, b)), room, &mut scores);
            for ((&de, u), dk) in de.iter().zip(room.chunks_exact(width)).zip(dk.chunks_exact_mut(width)) {
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

/// dα becomes de = α ⊙ (dα − Σ α dα).
fn through_softmax<R: Real>(de: &mut [R], alpha: &[R]) {
    let mean = de.iter().zip(alpha).fold(R::zero(), |sum, (&d, &a)| sum + a * d);
    de.iter_mut().zip(alpha).for_each(|(d, &a)| *d = a * (*d - mean));
}

/// The first `count` columns of a matrix whose rows are `stride` apart, as rows.
fn transposed<'a, R: Real>(matrix: &[R], stride: usize, count: usize, room: &'a mut Vec<R>) -> Rows<'a, R> {
    let rows = matrix.len() / stride.max(1);
    room.clear();
    for column in 0..count {
        room.extend(matrix.iter().skip(column).step_by(stride));
    }
    Rows { data: room, stride: rows, count }
}

/// Numbers (B, steps, width) as (steps, B, width).
fn time_major<R: Real>(
    op: &'static str,
    blocks: &[R],
    (batch, steps, width): (usize, usize, usize),
) -> Result<Vec<R>> {
    let mut out = parallel::scratch(op, &[steps, batch, width])?;
    let ranges = parallel::ranges(steps, GRAIN / (batch * width).max(1) + 1)?;
    let tasks = parallel::split_rows(&mut out, &ranges, batch * width).into_iter().zip(&ranges).collect();
    parallel::for_each(tasks, |(out, range): (&mut [R], &Range<usize>), _| {
        for (t, rows) in range.clone().zip(out.chunks_exact_mut((batch * width).max(1))) {
            for (b, row) in rows.chunks_exact_mut(width.max(1)).enumerate() {
                row.copy_from_slice(&blocks[(b * steps + t) * width..][..width]);
            }
        }
        Ok(())
    })?;
    Ok(out)
}
