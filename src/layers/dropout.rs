//! Dropout: some numbers become 0, the others larger, so that the mean stays (Srivastava et al. 2014).
//!
//! Which ones is a function of seed, sequence, time step and unit alone, so the way back draws the same mask again: none is
//! kept, and none depends on threads or on a sequence's place in the batch.

use crate::error::Result;
use crate::kernels::{self, Place, Real};
use crate::parallel;

/// Numbers worth a thread.
const GRAIN: usize = 1 << 15;

/// Which numbers are dropped.
#[derive(Debug, Clone, Copy)]
pub struct Dropout<'a> {
    /// With which probability.
    pub rate: f64,
    /// Of the masks.
    pub seed: u64,
    /// For each row, of which sequence it is.
    pub keys: &'a [u64],
    /// For each row, at which step; none for masks that are the same at every step (Gal and Ghahramani 2016).
    pub steps: Option<&'a [i64]>,
}

impl Dropout<'_> {
    /// A row's mask: 0 or 1 / (1 − rate).
    fn row<R: Real>(&self, i: usize, mask: &mut [R]) {
        let step = self.steps.map_or(0, |steps| steps[i] as u32);
        let place = Place { seed: self.seed, key: self.keys[i], step };
        kernels::bernoulli(place, self.rate, R::of(1.0 / (1.0 - self.rate)), mask);
    }
}

/// The masks of the rows (n, width), times the rows of x where there are some; of the gradient of the result, that of x.
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
