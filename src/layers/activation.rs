//! A nonlinearity between layers: h = f(a), element by element, with the elements divided among the threads.

use crate::error::Result;
use crate::kernels::{self, Activation, Real};
use crate::parallel;

/// Minimum number of elements per thread.
const GRAIN: usize = 1 << 15;

/// Computes h ← f(a) in place.
///
/// # Errors
/// [`crate::Error::Interrupted`].
pub fn forward<R: Real>(activation: Activation, a: &mut [R]) -> Result<()> {
    let ranges = parallel::ranges(a.len(), GRAIN)?;
    parallel::for_each(parallel::split_rows(a, &ranges, 1), |a, _| {
        kernels::activate(activation, a);
        Ok(())
    })
}

/// Computes da = dh ⊙ f′(a) in place of dh, given h = f(a).
///
/// # Errors
/// [`crate::Error::Interrupted`].
///
/// # Panics
/// If the slices differ in length.
pub fn backward<R: Real>(activation: Activation, h: &[R], dh: &mut [R]) -> Result<()> {
    assert_eq!(h.len(), dh.len(), "h and dh differ in length");
    let ranges = parallel::ranges(h.len(), GRAIN)?;
    let parts = parallel::split_rows(dh, &ranges, 1).into_iter().zip(&ranges).collect();
    parallel::for_each(parts, |(dh, range): (&mut [R], &std::ops::Range<usize>), _| {
        kernels::differentiate(activation, &h[range.clone()], dh);
        Ok(())
    })
}
