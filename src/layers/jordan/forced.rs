//! z is known beforehand for every step, as with teacher forcing: no loop over time, all T·B rows at once.

use std::ops::Range;

use super::{BACKWARD, FORWARD, Fed, Later, NOTHING, Sizes, Weights, multiply, silence};
use crate::error::Result;
use crate::kernels::{Activation, Packed, Real, Start, activate, differentiate};
use crate::layers::linear;
use crate::parallel;

/// Rows per block; a block passes through all products while it is in the cache.
const BLOCK: usize = 256;

/// Computes h (T, B, H) and o (T, B, O) from x (T, B, I) and the feedback into every step.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn forward<R: Real>(
    activation: Activation,
    sizes: Sizes,
    weights: Weights<'_, R>,
    x: &[R],
    fed: Fed<'_, R>,
    lengths: Option<&[i64]>,
) -> Result<(Vec<R>, Vec<R>)> {
    let Sizes { batch, inputs, hidden, outputs, .. } = sizes;
    let n = sizes.rows();
    let u = Packed::transposed(FORWARD, weights.u, hidden, inputs)?;
    let v = Packed::transposed(FORWARD, weights.v, outputs, hidden)?;
    let feeder = Feeder::new(sizes, weights.w, fed)?;
    let (mut h, mut o) =
        (parallel::scratch(FORWARD, &[n, hidden])?, parallel::scratch(FORWARD, &[n, outputs])?);
    let ranges = parallel::ranges(n, linear::least_rows(sizes.operations()))?;
    let parts = parallel::split_rows(&mut h, &ranges, hidden)
        .into_iter()
        .zip(parallel::split_rows(&mut o, &ranges, outputs))
        .zip(&ranges)
        .collect();
    parallel::for_each(parts, |((h, o), range): ((&mut [R], &mut [R]), &Range<usize>), stop| {
        for start in (0..range.len()).step_by(BLOCK) {
            let (first, count) = (range.start + start, (range.len() - start).min(BLOCK));
            let a = &mut h[start * hidden..][..count * hidden];
            multiply(&x[first * inputs..], count, &u, Start::Row(weights.b), a);
            feeder.add(first, a);
            activate(activation, a);
            silence(lengths, batch, first, a, hidden);
            let o = &mut o[start * outputs..][..count * outputs];
            multiply(a, count, &v, Start::Row(weights.c), o);
            silence(lengths, batch, first, o, outputs);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok((h, o))
}

/// Computes da (T, B, H) = (Vᵀ do) ⊙ f′(a); no gradient flows from a step to the step before.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn backward<R: Real>(
    activation: Activation,
    sizes: Sizes,
    v: &[R],
    h: &[R],
    dout: &[R],
) -> Result<Vec<R>> {
    let Sizes { hidden, outputs, .. } = sizes;
    let v = Packed::of(BACKWARD, v, outputs, hidden)?;
    let mut da = parallel::scratch(BACKWARD, &[sizes.rows(), hidden])?;
    let ranges = parallel::ranges(sizes.rows(), linear::least_rows(2 * hidden * outputs))?;
    let parts = parallel::split_rows(&mut da, &ranges, hidden).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(da, range): (&mut [R], &Range<usize>), stop| {
        for start in (0..range.len()).step_by(BLOCK) {
            let (first, count) = (range.start + start, (range.len() - start).min(BLOCK));
            let da = &mut da[start * hidden..][..count * hidden];
            multiply(&dout[first * outputs..], count, &v, Start::Zero, da);
            differentiate(activation, &h[first * hidden..][..count * hidden], da);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok(da)
}

/// Adds W z to rows of a.
struct Feeder<'a, R: Real> {
    sizes: Sizes,
    /// W packed, if some of z are values instead of tokens.
    w: Option<Packed<R>>,
    fed: Fed<'a, R>,
}

impl<'a, R: Real> Feeder<'a, R> {
    fn new(sizes: Sizes, w: &[R], fed: Fed<'a, R>) -> Result<Self> {
        let numbers = fed.first.is_some() || matches!(fed.later, Later::Values(_));
        let w = if numbers { Some(Packed::transposed(FORWARD, w, sizes.hidden, sizes.fed)?) } else { None };
        Ok(Feeder { sizes, w, fed })
    }

    /// Computes a ← a + W z for the rows of (T, B) starting at `first`.
    fn add(&self, first: usize, a: &mut [R]) {
        let Sizes { batch, hidden, fed: width, .. } = self.sizes;
        let count = a.len() / hidden.max(1);
        // Number of rows that belong to the first step.
        let early = batch.saturating_sub(first).min(count);
        if let (Some(w), Some(z)) = (&self.w, self.fed.first) {
            let z = &z[(first * width).min(z.len())..];
            multiply(z, early, w, Start::Accumulate, &mut a[..early * hidden]);
        }
        match (self.fed.later, &self.w) {
            (Later::Values(z), Some(w)) => {
                let z = &z[((first + early).saturating_sub(batch) * width).min(z.len())..];
                multiply(z, count - early, w, Start::Accumulate, &mut a[early * hidden..]);
            }
            (Later::Tokens { ids, table }, _) => {
                for (a, &id) in a.chunks_exact_mut(hidden.max(1)).zip(&ids[first..]) {
                    add_row(table, id, a);
                }
            }
            (Later::Values(_), None) => unreachable!("W is packed if z holds values"),
        }
    }
}

/// Computes a ← a + table\[id\]; does nothing for [`NOTHING`].
pub(super) fn add_row<R: Real>(table: &[R], id: i64, a: &mut [R]) {
    if id != NOTHING {
        let row = &table[id as usize * a.len()..][..a.len()];
        a.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
    }
}
