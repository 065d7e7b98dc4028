//! BPTT through the outputs that were fed back, and the parameters' gradients.
//!
//! Feeding o_t to step t + 1 adds to its gradient: do_t += Jᵀ Wᵀ da_{t+1}, with J the identity if o was fed
//! back, and the softmax's Jacobian diag(ŷ) − ŷ ŷᵀ if ŷ was. Neither a target nor a chosen token passes a
//! gradient to the output.

use super::driven::Own;
use super::{BACKWARD, Fed, Later, Sizes, WeightGradients, Weights, by_sequences, multiply, table};
use crate::error::Result;
use crate::kernels::{Activation, Lines, Packed, Real, Start, differentiate};
use crate::layers::linear::{self, Columns};
use crate::parallel::{self, Stop};

/// Computes da (T, B, H) and the total gradient of o (T, B, O) from do, the loss's own gradient of o. z and
/// `own` are those of [`super::driven::Numbers`].
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn through<R: Real>(
    (activation, what): (Activation, Own),
    sizes: Sizes,
    (w, v): (&[R], &[R]),
    (h, z, own): (&[R], &[R], &[bool]),
    dout: &[R],
) -> Result<(Vec<R>, Vec<R>)> {
    let Sizes { steps, batch, hidden, outputs, fed, .. } = sizes;
    let (w, v) = (Packed::of(BACKWARD, w, hidden, fed)?, Packed::of(BACKWARD, v, outputs, hidden)?);
    let mut da = parallel::scratch(BACKWARD, &[steps, batch, hidden])?;
    let mut total = parallel::scratch(BACKWARD, &[steps, batch, outputs])?;
    let ranges = parallel::ranges(batch, linear::least_rows(2 * hidden * (outputs + fed) * steps))?;
    let shards: Vec<_> = by_sequences(&mut da, (batch, hidden), &ranges)
        .into_iter()
        .zip(by_sequences(&mut total, (batch, outputs), &ranges))
        .zip(&ranges)
        .collect();
    parallel::for_each(shards, |((mut da, mut total), range), stop: &Stop<'_>| {
        let count = range.len();
        for t in (0..steps).rev() {
            let at = t * batch + range.start;
            let local = &dout[at * outputs..][..count * outputs];
            let total = &mut *total[t];
            let (until_now, after) = da.split_at_mut(t + 1);
            match after.first() {
                None => total.copy_from_slice(local),
                Some(da_next) => {
                    multiply(da_next, count, &w, Start::Zero, total);
                    let fed = (&z[(at + batch) * outputs..], &own[at + batch..]);
                    into_output(what, outputs, fed, local, total);
                }
            }
            let da = &mut *until_now[t];
            multiply(total, count, &v, Start::Zero, da);
            differentiate(activation, &h[at * hidden..][..da.len()], da);
            if stop.requested() {
                break;
            }
        }
        Ok(())
    })?;
    Ok((da, total))
}

/// Computes g ← do + Jᵀ g for rows whose own output was fed back, and g ← do for the others.
fn into_output<R: Real>(what: Own, outputs: usize, (z, own): (&[R], &[bool]), dout: &[R], g: &mut [R]) {
    let rows = g.chunks_exact_mut(outputs).zip(z.chunks_exact(outputs)).zip(dout.chunks_exact(outputs));
    for (((g, z), dout), &own) in rows.zip(own) {
        if !own {
            g.copy_from_slice(dout);
            continue;
        }
        if what == Own::Softmax {
            let mean: R = g.iter().zip(z).fold(R::zero(), |sum, (&g, &z)| sum + g * z);
            g.iter_mut().zip(z).for_each(|(g, &z)| *g = z * (*g - mean));
        }
        g.iter_mut().zip(dout).for_each(|(g, &d)| *g += d);
    }
}

/// The inputs of [`gradients`].
#[derive(Clone, Copy)]
pub struct Passed<'a, R> {
    /// x (T, B, I)
    pub x: &'a [R],
    /// h (T, B, H)
    pub h: &'a [R],
    /// da (T, B, H)
    pub da: &'a [R],
    /// do (T, B, O), the total gradient of o
    pub dout: &'a [R],
    /// z
    pub fed: Fed<'a, R>,
}

/// Adds dU, dW, db, dV, dc (and dE, with `embedding` = (E, dE)), each as one product over all T·B rows;
/// returns dx (T, B, I) if `need_dx`.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn gradients<R: Real>(
    sizes: Sizes,
    weights: Weights<'_, R>,
    passed: Passed<'_, R>,
    into: WeightGradients<'_, R>,
    embedding: Option<(&[R], &mut [R])>,
    need_dx: bool,
) -> Result<Option<Vec<R>>> {
    let Sizes { inputs, hidden, outputs, .. } = sizes;
    let Passed { x, h, da, dout, fed } = passed;
    linear::accumulate_weights(BACKWARD, &Columns::all(dout, outputs), Lines::all(h, hidden), into.v)?;
    linear::accumulate_bias(dout, outputs, into.c)?;
    linear::accumulate_weights(BACKWARD, &Columns::all(da, hidden), Lines::all(x, inputs), into.u)?;
    linear::accumulate_bias(da, hidden, into.b)?;
    feedback_gradient(sizes, (da, fed), (weights.w, into.w), embedding)?;
    if !need_dx {
        return Ok(None);
    }
    let u = Packed::of(BACKWARD, weights.u, hidden, inputs)?;
    let mut dx = parallel::scratch(BACKWARD, &[sizes.rows(), inputs])?;
    linear::product(&Columns::all(da, sizes.hidden), sizes.rows(), &u, Start::Zero, &mut dx)?;
    Ok(Some(dx))
}

/// Adds dW += Σ da_t z_tᵀ, and dE of the tokens that were fed.
fn feedback_gradient<R: Real>(
    sizes: Sizes,
    (da, fed): (&[R], Fed<'_, R>),
    (w, dw): (&[R], &mut [R]),
    embedding: Option<(&[R], &mut [R])>,
) -> Result<()> {
    let Sizes { batch, hidden, outputs, fed: width, .. } = sizes;
    let (early, later) = da.split_at((batch * hidden).min(da.len()));
    if let (Some(z), false) = (fed.first, early.is_empty()) {
        linear::accumulate_weights(BACKWARD, &Columns::all(early, hidden), Lines::all(z, width), dw)?;
    }
    match fed.later {
        Later::Values(z) => {
            let z = &z[..later.len() / hidden.max(1) * width];
            linear::accumulate_weights(BACKWARD, &Columns::all(later, hidden), Lines::all(z, width), dw)
        }
        Later::Tokens { ids, .. } => {
            let dtable = table::gather_gradient(BACKWARD, ids, da, (outputs, hidden))?;
            table::spread(BACKWARD, &dtable, (outputs, hidden, width), (w, dw), embedding)
        }
    }
}

/// Computes the gradient of z at the first step, (B, F) = Wᵀ da_0.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn first_gradient<R: Real>(sizes: Sizes, w: &[R], da: &[R]) -> Result<Vec<R>> {
    let mut first = parallel::scratch(BACKWARD, &[sizes.batch, sizes.fed])?;
    if sizes.steps == 0 {
        first.fill(R::zero());
        return Ok(first);
    }
    let w = Packed::of(BACKWARD, w, sizes.hidden, sizes.fed)?;
    linear::product(
        &Columns::all(&da[..sizes.batch * sizes.hidden], sizes.hidden),
        sizes.batch,
        &w,
        Start::Zero,
        &mut first,
    )?;
    Ok(first)
}
