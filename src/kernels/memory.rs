//! Memory that may not be there.

use std::alloc::{Layout, alloc_zeroed};

use super::Real;

/// `len` zeros, or `None` where they cannot be had. Large ones come from the system as they are, without a pass over
/// them.
pub(crate) fn zeroed<R: Real>(len: usize) -> Option<Vec<R>> {
    let layout = Layout::array::<R>(len).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the layout's size is not zero.
    let numbers = unsafe { alloc_zeroed(layout) }.cast::<R>();
    if numbers.is_null() {
        return None;
    }
    // SAFETY: allocated just now by the global allocator with the layout of `len` numbers; all bits zero is 0.0.
    Some(unsafe { Vec::from_raw_parts(numbers, len, len) })
}
