//! Fallible allocation: an array that does not fit is an error, not an abort.

use crate::error::{Error, Result};
use crate::kernels::Real;

/// Allocates a vector of zeros for an array of the given sizes. Returns an error if it does not fit; never
/// aborts.
pub(crate) fn zeros<R: Real>(op: &'static str, sizes: &[usize]) -> Result<Vec<R>> {
    allocate(op, sizes, crate::kernels::zeroed)
}

/// Like [`zeros`], with unspecified contents: for an array whose every number will be overwritten.
pub(crate) fn scratch<R: Real>(op: &'static str, sizes: &[usize]) -> Result<Vec<R>> {
    allocate(op, sizes, crate::kernels::scratch)
}

fn allocate<R: Real>(
    op: &'static str,
    sizes: &[usize],
    take: impl Fn(usize) -> Option<Vec<R>>,
) -> Result<Vec<R>> {
    let len = sizes.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
    let bytes = len.and_then(|len| len.checked_mul(size_of::<R>()));
    let too_large = |wanted: String| Error::Memory { op, wanted, available: available_memory() };
    let (Some(len), Some(bytes)) = (len, bytes) else {
        return Err(too_large(format!("{} numbers, more than can be addressed", crate::error::shape(sizes))));
    };
    check_memory(op, bytes as u64)?;
    take(len).ok_or_else(|| too_large(bytes.to_string()))
}

/// Checks that `bytes` of memory are available. Linux overcommits: it grants memory that it does not have and
/// kills the process on use, so check before a large allocation.
///
/// # Errors
/// [`Error::Memory`] if they are not available.
pub fn check_memory(op: &'static str, bytes: u64) -> Result<()> {
    let available = if bytes >= 1 << 30 { available_memory() } else { bytes };
    if bytes <= available {
        return Ok(());
    }
    Err(Error::Memory { op, wanted: bytes.to_string(), available })
}

/// Returns the available memory in bytes as reported by Linux; on other systems, half of the address space.
fn available_memory() -> u64 {
    let known = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok().map(|kib| kib * 1024)
    });
    known.unwrap_or(isize::MAX as u64)
}
