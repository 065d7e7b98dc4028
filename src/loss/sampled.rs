//! Training losses over a sample of the O classes: a softmax over the correct class and a sample, with
//! corrected scores (importance sampling), and noise-contrastive estimation.
//!
//! All positions share one sample, so its scores are one product with some rows of V. Only these rows and
//! those of the correct classes are read or receive a gradient. The caller samples the classes.

mod rules;

use std::ops::Range;

use super::{LinearGradients, Loss, Targets};
use crate::error::{Error, Result, check_shape};
use crate::kernels::{Lines, Packed, Real, Start};
use crate::layers::embedding::check_ids;
use crate::layers::linear::{self, Columns, Linear};
use crate::parallel;

/// Number of the sample's scores computed at a time.
const LIVE_SCORES: usize = 1 << 19;

/// Minimum and maximum number of positions per chunk.
const CHUNK: (usize, usize) = (64, 4096);

/// Minimum number of a table's elements per thread.
const GRAIN: usize = 1 << 16;

/// The loss that is computed from the scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// ln(e^o + Σ e^õ) − o: the correct class, uncorrected, against the sample without it, whose sum of e^õ
    /// is an unbiased estimate of the sum over all other classes (Bengio and Senécal 2008; Jean et al. 2015)
    Softmax,
    /// −ln σ(õ) of the correct class, −ln (1 − σ(õ)) of each sampled one (Gutmann and Hyvärinen 2012;
    /// Mnih and Teh 2012)
    Nce,
}

impl Rule {
    fn op(self) -> &'static str {
        match self {
            Rule::Softmax => "SampledSoftmax.through",
            Rule::Nce => "NCE.through",
        }
    }
}

/// The sampled classes.
#[derive(Clone, Copy)]
pub struct Sample<'a> {
    /// The distinct classes, in increasing order
    pub classes: &'a [i64],
    /// How often each was sampled
    pub counts: &'a [i64],
    /// ln k Q, the log of each of the O classes' expected count in a sample: õ = o − ln k Q
    pub log_expected: &'a [f64],
}

impl Sample<'_> {
    fn check(&self, op: &'static str, outputs: usize) -> Result<()> {
        let n = self.classes.len();
        check_ids(op, "classes", self.classes, outputs)?;
        check_shape(op, "counts", &[self.counts.len()], &[("classes", Some(n))])?;
        check_shape(op, "log_expected", &[self.log_expected.len()], &[("O", Some(outputs))])?;
        let rising = self.classes.windows(2).all(|pair| pair[0] < pair[1]);
        if n > 0 && rising && self.counts.iter().all(|&count| count > 0) {
            return Ok(());
        }
        Err(Error::Value {
            op,
            argument: "classes",
            expected: "at least one class, each once and in increasing order, with counts of at least 1"
                .into(),
            got: format!("{n} classes{}", if rising { "" } else { ", not in increasing order" }),
        })
    }
}

/// The values that are constant over the chunks.
struct Plan<'a, R: Real> {
    layer: Linear<'a, R>,
    targets: Targets<'a, R>,
    scale: f64,
    sample: Sample<'a>,
    rule: Rule,
    /// The sample's rows of V (n, H), packed, and their biases minus their corrections (n)
    forward: Packed<R>,
    bias: Vec<R>,
    backward: Option<Packed<R>>,
}

/// The sums of the sample's gradients, before they are added to their rows.
struct Gathered<R> {
    v: Vec<R>,
    c: Vec<R>,
    /// do of the correct class at each position
    right: Vec<R>,
}

/// Computes the loss of o = c + V h over the correct classes and a sample, for h (rows, H); adds to the rows
/// of dV and dc of both. Label smoothing is not defined here and is ignored.
///
/// # Errors
/// [`Error::Shape`], [`Error::TokenId`], [`Error::Value`], [`Error::Memory`], [`Error::Interrupted`].
pub fn linear_sampled_loss<R: Real>(
    layer: Linear<'_, R>,
    h: &[R],
    targets: Targets<'_, R>,
    (rule, sample): (Rule, Sample<'_>),
    mut gradients: Option<LinearGradients<'_, R>>,
) -> Result<Loss<R>> {
    let (rows, hidden, n, op) = (targets.ids.len(), layer.inputs, sample.classes.len(), rule.op());
    check_shape(op, "h", &[h.len()], &[("positions·H", Some(rows * hidden))])?;
    let scale = targets.check(op, rows, layer.outputs)?;
    sample.check(op, layer.outputs)?;
    let plan = Plan::new(layer, targets, scale, (rule, sample), gradients.is_some())?;
    let mut positions = parallel::scratch(op, &[rows])?;
    let mut sums = Gathered {
        v: parallel::zeros(op, &[n, hidden])?,
        c: parallel::zeros(op, &[n])?,
        right: parallel::scratch(op, &[rows])?,
    };
    let chunk = (LIVE_SCORES / n).clamp(CHUNK.0, CHUNK.1).min(rows.max(1));
    let mut scores = parallel::scratch(op, &[chunk, n])?;
    for first in (0..rows).step_by(chunk) {
        let range = first..(first + chunk).min(rows);
        let h = &h[range.start * hidden..range.end * hidden];
        let scores = &mut scores[..range.len() * n];
        linear::product(
            &Columns::all(h, hidden),
            range.len(),
            &plan.forward,
            Start::Row(&plan.bias),
            scores,
        )?;
        plan.judge(&range, h, scores, (&mut positions[range.clone()], &mut sums.right[range.clone()]))?;
        if let (Some(into), Some(v)) = (&mut gradients, &plan.backward) {
            let dh = &mut into.h[range.start * hidden..range.end * hidden];
            linear::product(&Columns::all(scores, n), range.len(), v, Start::Zero, dh)?;
            plan.add_right(&range, &sums.right[range.clone()], dh)?;
            linear::accumulate_weights(op, &Columns::all(scores, n), Lines::all(h, hidden), &mut sums.v)?;
            linear::accumulate_bias(scores, n, &mut sums.c)?;
        }
    }
    if let Some(into) = gradients {
        plan.scatter(h, &sums, (into.v, into.c))?;
    }
    Ok(Loss { total: targets.weighting.total(&positions, scale), positions })
}

impl<'a, R: Real> Plan<'a, R> {
    fn new(
        layer: Linear<'a, R>,
        targets: Targets<'a, R>,
        scale: f64,
        (rule, sample): (Rule, Sample<'a>),
        back: bool,
    ) -> Result<Self> {
        let (n, hidden, op) = (sample.classes.len(), layer.inputs, rule.op());
        let mut v = parallel::scratch(op, &[n, hidden])?;
        for (row, &class) in v.chunks_exact_mut(hidden.max(1)).zip(sample.classes) {
            row.copy_from_slice(row_of(layer.v, class, hidden));
        }
        // A class that was sampled m times occurs m times in Σ e^õ: its score increases by ln m.
        let often = |count: i64| if rule == Rule::Softmax { libm::log(count as f64) } else { 0.0 };
        let bias = sample.classes.iter().zip(sample.counts).map(|(&class, &count)| {
            let class = class as usize;
            R::of(layer.c[class].wide() - sample.log_expected[class] + often(count))
        });
        Ok(Plan {
            forward: Packed::transposed(op, &v, n, hidden)?,
            backward: if back { Some(Packed::of(op, &v, n, hidden)?) } else { None },
            bias: bias.collect(),
            layer,
            targets,
            scale,
            sample,
            rule,
        })
    }

    /// Computes the losses of some positions; replaces the sample's scores by do, and sets `right` to do of
    /// the correct classes.
    fn judge(
        &self,
        rows: &Range<usize>,
        h: &[R],
        scores: &mut [R],
        (losses, right): (&mut [R], &mut [R]),
    ) -> Result<()> {
        let (n, hidden) = (self.sample.classes.len(), self.layer.inputs);
        let ranges = parallel::ranges(rows.len(), linear::least_rows(64 * n))?;
        let parts: Vec<_> = parallel::split_rows(scores, &ranges, n)
            .into_iter()
            .zip(parallel::split_rows(losses, &ranges, 1))
            .zip(parallel::split_rows(right, &ranges, 1))
            .zip(&ranges)
            .collect();
        parallel::for_each(parts, |(((scores, losses), right), range), stop| {
            let outputs = losses.iter_mut().zip(right);
            for ((i, o), (loss, right)) in range.clone().zip(scores.chunks_exact_mut(n)).zip(outputs) {
                (*loss, *right) = self.position(rows.start + i, &h[i * hidden..(i + 1) * hidden], o);
                if i % 64 == 0 && stop.requested() {
                    break;
                }
            }
            Ok(())
        })
    }

    /// Returns the loss and do of the correct class at one position; replaces the sample's scores o by do.
    fn position(&self, position: usize, h: &[R], o: &mut [R]) -> (R, R) {
        if !self.targets.counts(position) {
            o.fill(R::zero());
            return (R::zero(), R::zero());
        }
        let id = self.targets.ids[position];
        let score = dot(row_of(self.layer.v, id, h.len()), h) + self.layer.c[id as usize];
        let score = score.wide();
        let weight = self.targets.weighting.of(position).wide();
        let (loss, right) = match self.rule {
            Rule::Softmax => {
                rules::softmax(o, score, self.sample.classes.binary_search(&id).ok(), weight * self.scale)
            }
            Rule::Nce => {
                let score = score - self.sample.log_expected[id as usize];
                rules::nce(o, score, self.sample.counts, weight * self.scale)
            }
        };
        if weight == 0.0 {
            o.fill(R::zero()); // whatever the scores are there, even NaN
            return (R::of(loss), R::zero());
        }
        (R::of(loss), R::of(right))
    }

    /// Adds dh += do V of the correct classes.
    fn add_right(&self, rows: &Range<usize>, right: &[R], dh: &mut [R]) -> Result<()> {
        let hidden = self.layer.inputs;
        let ranges = parallel::ranges(rows.len(), GRAIN / hidden.max(1))?;
        let parts = parallel::split_rows(dh, &ranges, hidden).into_iter().zip(&ranges).collect();
        parallel::for_each(parts, |(dh, range): (&mut [R], &Range<usize>), _| {
            for (i, dh) in range.clone().zip(dh.chunks_exact_mut(hidden.max(1))) {
                if self.targets.counts(rows.start + i) {
                    add(dh, right[i], row_of(self.layer.v, self.targets.ids[rows.start + i], hidden));
                }
            }
            Ok(())
        })
    }

    /// Adds the sums to their rows of dV and dc; then, position by position, the contributions of the
    /// correct classes.
    fn scatter(&self, h: &[R], sums: &Gathered<R>, (dv, dc): (&mut [R], &mut [R])) -> Result<()> {
        let hidden = self.layer.inputs;
        let threads = if h.len() < GRAIN { 1 } else { parallel::num_threads()? };
        // Each thread owns a range of the classes and adds what belongs to them, in order.
        let ranges = parallel::even_ranges(self.layer.outputs, threads);
        let parts: Vec<_> = parallel::split_rows(dv, &ranges, hidden)
            .into_iter()
            .zip(parallel::split_rows(dc, &ranges, 1))
            .zip(&ranges)
            .collect();
        parallel::for_each(parts, |((dv, dc), range), _| {
            let mut go = |class: i64, by: R, row: &[R], bias: R| {
                let class = class as usize;
                if range.contains(&class) {
                    let at = class - range.start;
                    add(&mut dv[at * hidden..(at + 1) * hidden], by, row);
                    dc[at] += bias;
                }
            };
            for (j, &class) in self.sample.classes.iter().enumerate() {
                go(class, R::one(), &sums.v[j * hidden..(j + 1) * hidden], sums.c[j]);
            }
            for (i, &id) in self.targets.ids.iter().enumerate() {
                if self.targets.counts(i) {
                    go(id, sums.right[i], &h[i * hidden..(i + 1) * hidden], sums.right[i]);
                }
            }
            Ok(())
        })
    }
}

fn row_of<R>(table: &[R], row: i64, width: usize) -> &[R] {
    &table[row as usize * width..][..width]
}

/// Computes sum += by · x.
fn add<R: Real>(sum: &mut [R], by: R, x: &[R]) {
    sum.iter_mut().zip(x).for_each(|(sum, &x)| *sum += by * x);
}

/// Computes Σ x·y in eight interleaved sums.
fn dot<R: Real>(x: &[R], y: &[R]) -> R {
    let mut sums = [R::zero(); 8];
    for (x, y) in x.chunks(8).zip(y.chunks(8)) {
        sums.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (&x, &y))| *sum += x * y);
    }
    sums.into_iter().fold(R::zero(), |sum, part| sum + part)
}
