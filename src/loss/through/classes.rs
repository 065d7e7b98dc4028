//! For a large V: blocks of classes, with the other factor of every product packed.
//!
//! The positions are processed in chunks, with the scores transposed: Oᵀ = V hᵀ + c, (classes, positions). V
//! and dV are then read and written in place, h is packed, and a vector holds 16 positions, so that softmax
//! needs no horizontal sum. The classes are divided into blocks that stay in a core's cache together with
//! their scores, and the blocks into groups that are divided among the threads:
//!
//! 1. per block: the scores, their maximum m_b for each position, e^{o − m_b}, and its sum s_b;
//! 2. per position: m = max m_b, Σ = Σ_b s_b e^{m_b − m}, the loss, and the factor of each block,
//!    e^{m_b − m} / Σ;
//! 3. per block: do = softmax − target, dV_b += do hᵀ, dc_b += Σ do, and its part of dh = Vᵀ do.
//!
//! The parts of dh are summed group by group. Chunks, blocks and groups depend on the problem alone, not on
//! the number of threads.

use std::ops::Range;

use super::{LinearGradients, OP};
use crate::error::Result;
use crate::kernels::{
    Lines, Packed, Real, Rows, RowsMut, Start, accumulate_transposed, column_exponentials, scale_shift,
};
use crate::layers::linear::Linear;
use crate::loss::{Targets, apart};
use crate::parallel;

/// Approximate size of a chunk's scores in bytes.
const SCORES: usize = 20 << 20;

/// Minimum and maximum number of positions per chunk.
const POSITIONS: (usize, usize) = (64, 352);

/// Approximate size of a block's rows of V in bytes.
const BLOCK: usize = 1 << 19;

/// Granularity of the classes: the rows of the product's register tile.
const TILE: usize = 8;

/// Maximum number of groups of blocks; each has its own part of dh.
const GROUPS: usize = 16;

/// The values that are constant over the chunks.
struct Plan<'a, R> {
    layer: Linear<'a, R>,
    targets: Targets<'a, R>,
    scale: f64,
    /// Number of blocks of classes, as equal in size as possible
    blocks: usize,
    /// Blocks per group, the same for all groups
    group: usize,
}

/// A chunk of positions.
struct Chunk<'a, R> {
    positions: Range<usize>,
    h: &'a [R],
}

/// A thread's groups of blocks, and its outputs.
struct Part<'a, R> {
    blocks: Range<usize>,
    /// Oᵀ of its classes, then e^{o − m_b}, then do
    scores: &'a mut [R],
    /// m_b for each block and position, then the factor of the block
    most: &'a mut [R],
    /// s_b for each block and position
    sums: &'a mut [R],
}

/// A thread's outputs in the backward pass.
struct PartBack<'a, R> {
    scores: &'a mut [R],
    blocks: Range<usize>,
    v: &'a mut [R],
    c: &'a mut [R],
    /// dh of each group
    h: &'a mut [R],
}

/// Fills `positions` with the losses and adds to the gradients, chunk by chunk.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub(super) fn chunks<R: Real>(
    layer: Linear<'_, R>,
    h: &[R],
    targets: Targets<'_, R>,
    scale: f64,
    positions: &mut [R],
    mut gradients: Option<LinearGradients<'_, R>>,
) -> Result<()> {
    let (rows, hidden, classes) = (positions.len(), layer.inputs, layer.outputs);
    let most = (SCORES / (classes * size_of::<R>())).clamp(POSITIONS.0, POSITIONS.1);
    let count = rows.div_ceil(rows.div_ceil(most).max(1)).next_multiple_of(16);
    let tiles = classes.div_ceil(TILE).max(1);
    let block = (BLOCK / (hidden.max(1) * size_of::<R>()) / TILE).clamp(4, 64);
    let groups = GROUPS.min(tiles.div_ceil(block));
    let group = tiles.div_ceil(groups * block);
    let plan = Plan { layer, targets, scale, blocks: groups * group, group };
    let mut work = Work::new(&plan, count.min(rows), gradients.is_some())?;
    for first in (0..rows).step_by(count.max(1)) {
        let last = (first + count).min(rows);
        let chunk = Chunk { positions: first..last, h: &h[first * hidden..last * hidden] };
        plan.forward(&chunk, &mut work)?;
        plan.combine(&chunk, &mut work, &mut positions[first..last]);
        if let Some(into) = &mut gradients {
            let dh = &mut into.h[first * hidden..last * hidden];
            let goal = Goal::new(&plan, &chunk, &positions[first..last]);
            plan.backward(&chunk, &mut work, goal, dh, (&mut *into.v, &mut *into.c))?;
        }
    }
    Ok(())
}

/// The work buffers of a chunk.
struct Work<R> {
    scores: Vec<R>,
    most: Vec<R>,
    sums: Vec<R>,
    /// The correct class's score at each position; the sum of all scores for label smoothing
    right: Vec<R>,
    total: Vec<R>,
    /// dh of each group
    dh: Vec<R>,
}

impl<R: Real> Work<R> {
    fn new(plan: &Plan<'_, R>, count: usize, back: bool) -> Result<Self> {
        let blocks = plan.blocks;
        let dh = if back { plan.groups() * count * plan.layer.inputs } else { 0 };
        Ok(Work {
            scores: parallel::scratch(OP, &[plan.layer.outputs, count])?,
            most: parallel::scratch(OP, &[blocks, count])?,
            sums: parallel::scratch(OP, &[blocks, count])?,
            right: parallel::zeros(OP, &[count])?,
            total: parallel::scratch(OP, &[blocks, count])?,
            dh: parallel::scratch(OP, &[dh])?,
        })
    }
}

impl<R: Real> Plan<'_, R> {
    fn groups(&self) -> usize {
        self.blocks / self.group
    }

    fn classes(&self, block: usize) -> Range<usize> {
        let classes = self.layer.outputs;
        let first = |block: usize| (block * classes.div_ceil(TILE) / self.blocks * TILE).min(classes);
        first(block)..first(block + 1)
    }

    /// Returns each thread's blocks, in whole groups.
    fn shares(&self) -> Result<Vec<Range<usize>>> {
        let groups = parallel::ranges(self.groups(), 1)?;
        Ok(groups.iter().map(|g| g.start * self.group..g.end * self.group).collect())
    }

    /// Returns the classes of each range of blocks.
    fn classes_of(&self, shares: &[Range<usize>]) -> Vec<Range<usize>> {
        shares.iter().map(|s| self.classes(s.start).start..self.classes(s.end - 1).end).collect()
    }

    /// Step 1: computes the scores and their exponentials.
    fn forward(&self, chunk: &Chunk<'_, R>, work: &mut Work<R>) -> Result<()> {
        let (count, hidden) = (chunk.positions.len(), self.layer.inputs);
        let h = Packed::transposed(OP, chunk.h, count, hidden)?;
        let shares = self.shares()?;
        let classes = self.classes_of(&shares);
        let parts: Vec<_> = shares
            .iter()
            .zip(parallel::split_rows(&mut work.scores, &classes, count))
            .zip(parallel::split_rows(&mut work.most, &shares, count))
            .zip(parallel::split_rows(&mut work.sums, &shares, count))
            .zip(parallel::split_rows(&mut work.total, &shares, count))
            .map(|((((blocks, scores), most), sums), total)| {
                (Part { blocks: blocks.clone(), scores, most, sums }, total)
            })
            .collect();
        let mut found: Vec<Vec<(usize, R)>> = vec![Vec::new(); parts.len()];
        let smoothed = self.targets.smoothing > 0.0;
        parallel::for_each(parts.into_iter().zip(&mut found).collect(), |((part, total), found), stop| {
            let mut scores = part.scores;
            for (i, block) in part.blocks.enumerate() {
                let classes = self.classes(block);
                let (own, rest) = std::mem::take(&mut scores).split_at_mut(classes.len() * count);
                scores = rest;
                let v = Rows {
                    data: &self.layer.v[classes.start * hidden..],
                    stride: hidden,
                    count: classes.len(),
                };
                let bias = Start::Column(&self.layer.c[classes.clone()]);
                h.multiply(v, bias, RowsMut { data: own, stride: count });
                let right = chunk.positions.clone().enumerate().filter_map(|(p, position)| {
                    let id = usize::try_from(self.targets.ids[position]).ok()?;
                    classes.contains(&id).then(|| (p, own[(id - classes.start) * count + p]))
                });
                found.extend(right);
                let at = i * count..(i + 1) * count;
                if smoothed {
                    let total = &mut total[at.clone()];
                    total.fill(R::zero());
                    for row in own.chunks_exact(count) {
                        total.iter_mut().zip(row).for_each(|(sum, &o)| *sum += o);
                    }
                }
                column_exponentials(own, &mut part.most[at.clone()], &mut part.sums[at]);
                if stop.requested() {
                    break;
                }
            }
            Ok(())
        })?;
        for (position, score) in found.into_iter().flatten() {
            work.right[position] = score;
        }
        Ok(())
    }

    /// Step 2: computes the losses and turns m_b into the factor of the block. One thread suffices, since
    /// this is small compared to the products.
    fn combine(&self, chunk: &Chunk<'_, R>, work: &mut Work<R>, losses: &mut [R]) {
        let (count, classes) = (chunk.positions.len(), self.layer.outputs);
        let smoothing = self.targets.smoothing;
        let (mut most, mut room) = (vec![R::zero(); count], vec![R::zero(); count]);
        column_exponentials(&mut work.most[..self.blocks * count], &mut most, &mut room);
        let (mut sums, mut totals) = (vec![0.0f64; count], vec![0.0f64; count]);
        let blocks = work.most.chunks_exact(count).zip(work.sums.chunks_exact(count)).take(self.blocks);
        for (e, s) in blocks {
            sums.iter_mut().zip(e.iter().zip(s)).for_each(|(sum, (e, s))| *sum += e.wide() * s.wide());
        }
        if smoothing > 0.0 {
            for row in work.total.chunks_exact(count).take(self.blocks) {
                totals.iter_mut().zip(row).for_each(|(total, x)| *total += x.wide());
            }
        }
        let mut factors = vec![R::zero(); count];
        for (p, loss) in losses.iter_mut().enumerate() {
            let position = chunk.positions.start + p;
            let counts = self.targets.counts(position);
            if !counts || self.targets.ids[position] as usize >= classes {
                *loss = if counts { R::infinity() } else { R::zero() };
                continue;
            }
            let (score, most) = (work.right[p].wide(), most[p].wide());
            let mean = if smoothing > 0.0 { totals[p] / classes as f64 } else { score };
            *loss = R::of(libm::log(sums[p]) + apart(smoothing, most - score, most - mean));
            factors[p] = R::of(self.targets.weight(position, self.scale, *loss) / sums[p]);
        }
        for row in work.most.chunks_exact_mut(count).take(self.blocks) {
            for (e, factor) in row.iter_mut().zip(&factors) {
                *e = if *factor == R::zero() { R::zero() } else { *e * *factor };
            }
        }
    }

    /// Step 3: computes the gradients.
    fn backward(
        &self,
        chunk: &Chunk<'_, R>,
        work: &mut Work<R>,
        goal: Goal<R>,
        dh: &mut [R],
        (dv, dc): (&mut [R], &mut [R]),
    ) -> Result<()> {
        let (count, hidden) = (chunk.positions.len(), self.layer.inputs);
        let h = Packed::of(OP, chunk.h, count, hidden)?;
        let shares = self.shares()?;
        let classes = self.classes_of(&shares);
        let groups: Vec<_> = shares.iter().map(|s| s.start / self.group..s.end / self.group).collect();
        let size = count * hidden;
        let parts: Vec<_> = shares
            .iter()
            .zip(parallel::split_rows(&mut work.scores, &classes, count))
            .zip(parallel::split_rows(dv, &classes, hidden))
            .zip(parallel::split_rows(dc, &classes, 1))
            .zip(parallel::split_rows(&mut work.dh, &groups, size))
            .map(|((((blocks, scores), v), c), h)| PartBack { scores, blocks: blocks.clone(), v, c, h })
            .collect();
        let factors = &work.most;
        parallel::for_each(parts, |part, stop| {
            let (first_class, first_block) = (self.classes(part.blocks.start).start, part.blocks.start);
            for block in part.blocks.clone() {
                let classes = self.classes(block);
                let from = classes.start - first_class;
                let scores = &mut part.scores[from * count..(from + classes.len()) * count];
                let dc = &mut part.c[from..from + classes.len()];
                goal.subtract(scores, &factors[block * count..(block + 1) * count], &classes, dc);
                let rows = Rows { data: scores, stride: count, count: classes.len() };
                let dv = RowsMut { data: &mut part.v[from * hidden..], stride: hidden };
                h.multiply(rows, Start::Accumulate, dv);
                let group = (block - first_block) / self.group;
                let dh = &mut part.h[group * size..(group + 1) * size];
                if block.is_multiple_of(self.group) {
                    dh.fill(R::zero());
                }
                let v = &self.layer.v[classes.start * hidden..classes.end * hidden];
                accumulate_transposed(OP, (scores, count), &[(0, count)], Lines::all(v, hidden), dh)?;
                if stop.requested() {
                    break;
                }
            }
            Ok(())
        })?;
        let ranges = parallel::ranges(size, 1 << 14)?;
        let parts = parallel::split_rows(dh, &ranges, 1).into_iter().zip(ranges).collect();
        parallel::for_each(parts, |(dh, range): (&mut [R], Range<usize>), _| {
            dh.fill(R::zero());
            for part in work.dh.chunks_exact(size).take(self.groups()) {
                dh.iter_mut().zip(&part[range.clone()]).for_each(|(sum, x)| *sum += *x);
            }
            Ok(())
        })
    }
}

/// The difference of do from the softmax: the targets of a chunk.
struct Goal<R> {
    /// (class, position, subtracted value), sorted by class
    right: Vec<(usize, usize, R)>,
    /// The value added at every class for label smoothing, which is negative
    spread: Vec<R>,
    /// Positions without weight
    silent: Vec<usize>,
}

impl<R: Real> Goal<R> {
    fn new(plan: &Plan<'_, R>, chunk: &Chunk<'_, R>, losses: &[R]) -> Self {
        let (targets, classes) = (&plan.targets, plan.layer.outputs as f64);
        let mut goal = Goal { right: Vec::new(), spread: Vec::new(), silent: Vec::new() };
        for (p, position) in chunk.positions.clone().enumerate() {
            let weight =
                if targets.counts(position) { targets.weight(position, plan.scale, losses[p]) } else { 0.0 };
            goal.spread.push(R::of(-weight * targets.smoothing / classes));
            if weight == 0.0 {
                goal.silent.push(p);
            } else {
                let taken = R::of((1.0 - targets.smoothing) * weight);
                goal.right.push((targets.ids[position] as usize, p, taken));
            }
        }
        goal.right.sort_by_key(|&(class, ..)| class);
        goal
    }

    /// Turns e^{o − m_b} of a block into do; adds its sums to dc.
    fn subtract(&self, scores: &mut [R], factors: &[R], classes: &Range<usize>, dc: &mut [R]) {
        let count = self.spread.len();
        for &p in &self.silent {
            // Even if the scores there are NaN.
            scores.iter_mut().skip(p).step_by(count).for_each(|x| *x = R::zero());
        }
        for (row, dc) in scores.chunks_exact_mut(count).zip(dc.iter_mut()) {
            *dc += scale_shift(row, factors, &self.spread);
        }
        let from = self.right.partition_point(|&(class, ..)| class < classes.start);
        for &(class, p, taken) in self.right[from..].iter().take_while(|&&(class, ..)| class < classes.end) {
            scores[(class - classes.start) * count + p] -= taken;
            dc[class - classes.start] -= taken;
        }
    }
}
