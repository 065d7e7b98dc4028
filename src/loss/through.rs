//! Output layer, softmax and cross-entropy in one function, without ever holding all of o (T·B, V).

mod classes;

use super::{Loss, Targets};
use crate::error::{Result, check_shape};
use crate::kernels::{Lines, Packed, Real, Start};
use crate::layers::linear::{self, Columns, Linear};
use crate::parallel;

const OP: &str = "SoftmaxCrossEntropy.through";

/// Minimum size of V in bytes for using [`classes`]: about the size of a core's own cache.
const LARGE: usize = 1 << 20;

/// Minimum number of classes for using it: enough to divide.
const LEAST_CLASSES: usize = 1024;

/// Number of scores computed at a time if chunks are whole rows of o.
const LIVE_SCORES: usize = 1 << 19;

/// Minimum and maximum number of positions per such chunk: enough to make reading V worthwhile.
const CHUNK: (usize, usize) = (64, 4096);

/// The places where [`linear_softmax_cross_entropy`] stores its gradients.
pub struct LinearGradients<'a, R> {
    /// dh (rows, H): overwritten.
    pub h: &'a mut [R],
    /// dV (O, H): added to.
    pub v: &'a mut [R],
    /// dc (O): added to.
    pub c: &'a mut [R],
}

/// Computes output layer, softmax, cross-entropy and all their gradients for h (rows, H), a chunk of rows at
/// a time, so that o (rows, O) never exists as a whole.
///
/// # Errors
/// [`crate::Error::Shape`], [`crate::Error::TokenId`], [`crate::Error::Value`], [`crate::Error::Memory`],
/// [`crate::Error::Interrupted`].
pub fn linear_softmax_cross_entropy<R: Real>(
    layer: Linear<'_, R>,
    h: &[R],
    targets: Targets<'_, R>,
    gradients: Option<LinearGradients<'_, R>>,
) -> Result<Loss<R>> {
    let (positions, scale) = losses(OP, layer, h, targets, gradients)?;
    Ok(Loss { total: targets.weighting.total(&positions, scale), positions })
}

/// Computes the losses of the positions, and the factor of their weighted sum.
pub(super) fn losses<R: Real>(
    op: &'static str,
    layer: Linear<'_, R>,
    h: &[R],
    targets: Targets<'_, R>,
    gradients: Option<LinearGradients<'_, R>>,
) -> Result<(Vec<R>, f64)> {
    let (rows, hidden, classes) = (targets.ids.len(), layer.inputs, layer.outputs);
    check_shape(op, "h", &[h.len()], &[("positions·H", Some(rows * hidden))])?;
    let scale = targets.check(op, rows, classes)?;
    let mut positions = parallel::scratch(op, &[rows])?;
    // The smaller factor of the products is packed.
    if size_of_val(layer.v) > LARGE && classes >= LEAST_CLASSES {
        classes::chunks(layer, h, targets, scale, &mut positions, gradients)?;
    } else {
        whole_rows(layer, h, targets, scale, &mut positions, gradients)?;
    }
    Ok((positions, scale))
}

/// Computes chunks of rows of o, with V packed: for a V that stays in a core's own cache.
fn whole_rows<R: Real>(
    layer: Linear<'_, R>,
    h: &[R],
    targets: Targets<'_, R>,
    scale: f64,
    positions: &mut [R],
    mut gradients: Option<LinearGradients<'_, R>>,
) -> Result<()> {
    let (rows, hidden, classes) = (targets.ids.len(), layer.inputs, layer.outputs);
    let forward = Packed::transposed(OP, layer.v, classes, hidden)?;
    let backward = match gradients {
        Some(_) => Some(Packed::of(OP, layer.v, classes, hidden)?),
        None => None,
    };
    let chunk = (LIVE_SCORES / classes.max(1)).clamp(CHUNK.0, CHUNK.1).min(rows.max(1));
    let mut scores = parallel::scratch(OP, &[chunk, classes])?;
    for first in (0..rows).step_by(chunk) {
        let count = (rows - first).min(chunk);
        let h = &h[first * hidden..(first + count) * hidden];
        let scores = &mut scores[..count * classes];
        linear::product(&Columns::all(h, hidden), count, &forward, Start::Row(layer.c), scores)?;
        let ranges = parallel::ranges(count, linear::least_rows(64 * classes))?;
        let parts: Vec<_> = parallel::split_rows(scores, &ranges, classes)
            .into_iter()
            .zip(parallel::split_rows(&mut positions[first..first + count], &ranges, 1))
            .zip(&ranges)
            .collect();
        parallel::for_each(parts, |((scores, losses), range), _| {
            for ((i, o), loss) in range.clone().zip(scores.chunks_exact_mut(classes)).zip(losses) {
                *loss = targets.row(first + i, scale, o);
            }
            Ok(())
        })?;
        if let (Some(into), Some(v)) = (&mut gradients, &backward) {
            let dh = &mut into.h[first * hidden..(first + count) * hidden];
            linear::product(&Columns::all(scores, classes), count, v, Start::Zero, dh)?;
            linear::accumulate_weights(OP, &Columns::all(scores, classes), Lines::all(h, hidden), into.v)?;
            linear::accumulate_bias(scores, classes, into.c)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::{Scheme, initialize};
    use crate::loss::{Mixture, Reduction, Weighting};

    fn numbers<R: Real>(n: usize, seed: u64) -> Vec<R> {
        let mut out = vec![R::zero(); n];
        initialize(&mut out, n, Scheme::Uniform, 1.0, seed).unwrap();
        out
    }

    type Way<R> =
        fn(Linear<'_, R>, &[R], Targets<'_, R>, f64, &mut [R], Option<LinearGradients<'_, R>>) -> Result<()>;

    /// Returns the losses, dh, dV and dc of one implementation; the gradients start at a nonzero value.
    fn all<R: Real>(
        way: Way<R>,
        (rows, hidden, classes): (usize, usize, usize),
        smoothing: f64,
        mixed: bool,
    ) -> [Vec<R>; 4] {
        let (v, c, h) = (numbers(classes * hidden, 1), numbers(classes, 2), numbers(rows * hidden, 3));
        let beyond = if mixed { 200 } else { 0 };
        let (gate, copied) = (vec![R::of(0.7); rows], vec![R::of(0.01); rows]);
        let mixture = mixed.then_some(Mixture { gate: &gate, copied: &copied });
        let ids: Vec<i64> = (0..rows as i64)
            .map(|i| if i % 7 == 3 { -1 } else { i * 37 % (classes as i64 + beyond) })
            .collect();
        let weights: Vec<R> = (0..rows).map(|i| R::of((i % 3) as f64)).collect();
        let weighting = Weighting { weights: Some(&weights), reduction: Reduction::Sum };
        let targets = Targets { ids: &ids, ignore: Some(-1), smoothing, weighting, mixture };
        let layer = Linear { v: &v, c: &c, inputs: hidden, outputs: classes };
        let (mut losses, mut dh) = (vec![R::nan(); rows], vec![R::nan(); rows * hidden]);
        let (mut dv, mut dc) = (vec![R::of(0.5); classes * hidden], vec![R::of(0.5); classes]);
        let into = LinearGradients { h: &mut dh, v: &mut dv, c: &mut dc };
        way(layer, &h, targets, 0.25, &mut losses, Some(into)).unwrap();
        [losses, dh, dv, dc]
    }

    #[test]
    fn the_two_ways_agree() {
        for sizes in [(300, 7, 1500), (1, 3, 1024), (65, 130, 1031)] {
            for (smoothing, mixed) in [(0.0, false), (0.1, false), (0.0, true)] {
                let one = all::<f64>(whole_rows, sizes, smoothing, mixed);
                let other = all::<f64>(classes::chunks, sizes, smoothing, mixed);
                for (one, other) in one.iter().zip(&other) {
                    assert_eq!(one.len(), other.len());
                    for (x, y) in one.iter().zip(other) {
                        assert!(x == y || (x - y).abs() < 1e-12, "{sizes:?}, {smoothing}: {x} and {y}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_class_that_cannot_be_and_a_score_that_is_no_number() {
        // A whole block of −∞ contributes nothing; a NaN affects the loss of its own position only.
        let (hidden, classes) = (2, 1200);
        let (v, mut c) = (numbers::<f32>(classes * hidden, 1), vec![0.0f32; classes]);
        c[..600].fill(f32::NEG_INFINITY);
        let h = [0.1, 0.2, f32::NAN, 0.0, 0.3, -0.1];
        let weighting = Weighting { weights: None, reduction: Reduction::Sum };
        let targets =
            Targets { ids: &[700, 700, 1199], ignore: None, smoothing: 0.0, weighting, mixture: None };
        let layer = Linear { v: &v, c: &c, inputs: hidden, outputs: classes };
        let mut losses = [0.0f32; 3];
        classes::chunks(layer, &h, targets, 1.0, &mut losses, None).unwrap();
        assert!(losses[1].is_nan());
        let mut expected = [0.0f32; 3];
        whole_rows(layer, &h, targets, 1.0, &mut expected, None).unwrap();
        for i in [0, 2] {
            assert!((losses[i] - expected[i]).abs() < 1e-5, "{losses:?}, {expected:?}");
        }
    }
}
