//! Dropout: sets some values to 0 and scales the others up, so that the mean is preserved
//! (Srivastava et al. 2014).
//!
//! A mask depends only on seed, sequence, time step and unit. The backward pass generates it again, so no
//! mask is stored, and none depends on threads or on a sequence's place in the batch.

use crate::error::Result;
use crate::kernels::{self, Place, Real};
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 15;

/// The masks of a batch of rows.
#[derive(Debug, Clone, Copy)]
pub struct Dropout<'a> {
    /// The probability that a value is dropped.
    pub rate: f64,
    /// The seed of the masks.
    pub seed: u64,
    /// For each row, the key of its sequence.
    pub keys: &'a [u64],
    /// For each row, its time step; `None` for masks that are the same at every step (Gal and
    /// Ghahramani 2016).
    pub steps: Option<&'a [i64]>,
}

impl Dropout<'_> {
    /// Fills in a row's mask: 0 or 1 / (1 − rate).
    fn row<R: Real>(&self, i: usize, mask: &mut [R]) {
        let step = self.steps.map_or(0, |steps| steps[i] as u32);
        let place = Place { seed: self.seed, key: self.keys[i], step };
        kernels::bernoulli(place, self.rate, R::of(1.0 / (1.0 - self.rate)), mask);
    }
}

/// Computes the masks of the rows (n, width), times the rows of x if given. Applied to dy, it returns dx.
///
/// # Errors
/// [`crate::Error::Memory`]; [`crate::Error::Interrupted`].
pub fn dropout<R: Real>(dropout: Dropout<'_>, x: Option<&[R]>, width: usize) -> Result<Vec<R>> {
    const OP: &str = "Dropout";
    let rows = dropout.keys.len();
    let mut y = parallel::scratch(OP, &[rows, width])?;
    let ranges = parallel::ranges(rows, GRAIN / width.max(1))?;
    let parts: Vec<_> = parallel::split_rows(&mut y, &ranges, width).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(y, range), _| {
        for (i, y) in range.clone().zip(y.chunks_exact_mut(width.max(1))) {
            dropout.row(i, y);
            if let Some(x) = x {
                y.iter_mut().zip(&x[i * width..]).for_each(|(y, &x)| *y *= x);
            }
        }
        Ok(())
    })?;
    Ok(y)
}
