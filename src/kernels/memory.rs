//! Memory: arrays that may not fit, and large blocks that are used again.
//!
//! A step of training takes and frees the same few large arrays as the step before. The system's allocator gives
//! such blocks back and gets them anew, page by page, each page zeroed at its first touch: a tenth of the time of a
//! middle-sized step. [`Recycler`] keeps them instead.

use std::alloc::{GlobalAlloc, Layout, System, alloc_zeroed};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Real;

/// Bytes from which a block is kept for its next use.
const LARGE: usize = 1 << 17;

/// Bytes from which a block asks for huge pages, and where it then begins.
const HUGE: usize = 1 << 21;

/// Where smaller ones begin at least: at a page.
const PAGE: usize = 1 << 12;

/// Most blocks that are kept.
const MOST_BLOCKS: usize = 128;

/// Large blocks taken between two looks at how much memory is needed at one time.
const SEASON: u32 = 4096;

/// How often a thread looks whether another one is done with the blocks. It takes a tenth of a microsecond; a block from the
/// system as many microseconds as it has pages.
const TRIES: u32 = 200;

/// An allocator that keeps large blocks for their next use: no more than half above what was in use at one time not long ago. The Python module installs it; a Rust program can, with `#[global_allocator]`.
pub struct Recycler;

static BLOCKS: Blocks = Blocks {
    taken: AtomicBool::new(false),
    inner: UnsafeCell::new(Kept {
        blocks: [(std::ptr::null_mut(), 0); MOST_BLOCKS],
        count: 0,
        held: 0,
        live: 0,
        season: 0,
        most_live: [0; 2],
    }),
};

struct Blocks {
    taken: AtomicBool,
    inner: UnsafeCell<Kept>,
}

// SAFETY: `inner` is reached only through `with`, which lets one thread in at a time.
unsafe impl Sync for Blocks {}

struct Kept {
    /// (address, size), the oldest first.
    blocks: [(*mut u8, usize); MOST_BLOCKS],
    count: usize,
    /// Bytes kept.
    held: usize,
    /// Bytes of large blocks in use.
    live: usize,
    /// Blocks taken in this season.
    season: u32,
    /// Most bytes in use at one time, in the season before this one and in this one.
    most_live: [usize; 2],
}

impl Blocks {
    /// Runs `f` on what is kept, or gives `None` when another thread is there for longer than it should be (or was, when the
    /// process forked): then the system's allocator does.
    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let mut tries = 0;
        while self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            tries += 1;
            if tries == TRIES {
                return None;
            }
            std::hint::spin_loop();
        }
        // SAFETY: `taken` was false and is true now, so nobody else is here; `f` does not come back here.
        let result = f(unsafe { &mut *self.inner.get() });
        self.taken.store(false, Ordering::Release);
        Some(result)
    }
}

impl Kept {
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        self.live += size;
        self.season += 1;
        if self.season == SEASON {
            self.season = 0;
            self.most_live = [self.most_live[1], 0];
        }
        self.most_live[1] = self.most_live[1].max(self.live);
        let place = self.blocks[..self.count].iter().rposition(|&(_, kept)| kept == size)?;
        Some(self.remove(place).0)
    }

    fn remove(&mut self, place: usize) -> (*mut u8, usize) {
        let block = self.blocks[place];
        self.blocks.copy_within(place + 1..self.count, place);
        self.count -= 1;
        self.held -= block.1;
        block
    }

    /// Keeps a block; false if there is no place for it.
    fn keep(&mut self, block: *mut u8, size: usize) -> bool {
        self.live = self.live.saturating_sub(size);
        if self.count == MOST_BLOCKS {
            return false;
        }
        self.blocks[self.count] = (block, size);
        self.count += 1;
        self.held += size;
        true
    }

    /// The oldest block, if more is kept than was needed.
    fn surplus(&mut self) -> Option<(*mut u8, usize)> {
        let needed = self.most_live[0].max(self.most_live[1]);
        (self.count > 0 && self.held > needed + needed / 2).then(|| self.remove(0))
    }
}

/// The size and place of the block that serves a large layout: the next power of 2, so that the arrays of batches of other
/// lengths share blocks. What lies behind an array's end is not touched, and so costs no memory until it is.
fn block(size: usize) -> Option<Layout> {
    let size = size.checked_next_power_of_two()?;
    Layout::from_size_align(size, if size >= HUGE { HUGE } else { PAGE }).ok()
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

/// Asks for numbers that will soon be read or written, so that they are in the core's cache by then: what is computed
/// meanwhile hides the way from memory.
pub fn prefetch<R>(numbers: &[R]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks((64 / size_of::<R>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 has the instruction, which reads nothing that a program could notice.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

/// New blocks from the system: zeros, whose pages are there only once they are touched.
#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::alloc::Layout;

    pub(super) unsafe fn map(block: Layout) -> *mut u8 {
        // A mapping begins at a page; any other place needs room to move.
        let room = if block.align() > super::PAGE { block.align() } else { 0 };
        let length = block.size() + room;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping touches nothing that exists; of it, what lies before and behind the aligned block is
        // given back. That advice may be refused does no harm.
        unsafe {
            let start = libc::mmap(std::ptr::null_mut(), length, access, kind, -1, 0);
            if start == libc::MAP_FAILED {
                return std::ptr::null_mut();
            }
            let before = start.cast::<u8>().align_offset(block.align());
            let address = start.cast::<u8>().add(before);
            if before > 0 {
                libc::munmap(start, before);
            }
            if length - before > block.size() {
                libc::munmap(address.add(block.size()).cast(), length - before - block.size());
            }
            // A page of two megabytes costs one fault instead of 512, and one entry of the processor's table of pages.
            if block.size() >= super::HUGE {
                libc::madvise(address.cast(), block.size(), libc::MADV_HUGEPAGE);
            }
            address
        }
    }

    pub(super) unsafe fn unmap(address: *mut u8, block: Layout) {
        // SAFETY: the caller gives back what `map` gave for this layout.
        unsafe { libc::munmap(address.cast(), block.size()) };
    }
}

/// New blocks from the system's allocator: zeros.
#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};

    pub(super) unsafe fn map(block: Layout) -> *mut u8 {
        // SAFETY: a block's size is not zero.
        unsafe { System.alloc_zeroed(block) }
    }

    pub(super) unsafe fn unmap(address: *mut u8, block: Layout) {
        // SAFETY: the caller gives back what `map` gave for this layout.
        unsafe { System.dealloc(address, block) };
    }
}

/// A large block, and whether it is still all zeros.
fn take(layout: Layout) -> (*mut u8, bool) {
    let Some(block) = block(layout.size()) else { return (std::ptr::null_mut(), false) };
    if let Some(kept) = BLOCKS.with(|blocks| blocks.take(block.size())).flatten() {
        return (kept, false);
    }
    // SAFETY: none is needed for a new block; it goes back in `Recycler::dealloc`.
    (unsafe { system::map(block) }, true)
}

// SAFETY: large blocks are mapped with the layout that `block` gives for their size, are handed out to one owner at a
// time, and go back with the same layout; all else is passed on to the system's allocator.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: the caller's promise, passed on.
            return unsafe { System.alloc(layout) };
        }
        take(layout).0
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: the caller's promise, passed on.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let (block, zeros) = take(layout);
        if !block.is_null() && !zeros {
            // SAFETY: the block has at least the layout's size.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        if !is_large(layout) {
            // SAFETY: the caller's promise, passed on.
            return unsafe { System.dealloc(address, layout) };
        }
        let Some(layout) = block(layout.size()) else { return };
        if BLOCKS.with(|blocks| blocks.keep(address, layout.size())) != Some(true) {
            // SAFETY: the caller's promise: the address came from `take`, with this layout.
            unsafe { system::unmap(address, layout) };
        }
        while let Some(Some((address, size))) = BLOCKS.with(Kept::surplus) {
            // SAFETY: as above; the layout of a block's size is its own.
            unsafe { system::unmap(address, block(size).unwrap_unchecked()) };
        }
    }
}

/// `len` zeros, or `None` where they cannot be had.
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

/// `len` numbers, whatever they are: for arrays of which every number is written. Like [`zeroed`], but a kept block is
/// used as it is.
pub(crate) fn scratch<R: Real>(len: usize) -> Option<Vec<R>> {
    let layout = Layout::array::<R>(len).ok()?;
    if is_large(layout) {
        let size = block(layout.size())?.size();
        let kept = BLOCKS.with(|blocks| {
            // Only a block that is there counts as taken: `zeroed` will count its own.
            let there = blocks.blocks[..blocks.count].iter().any(|&(_, kept)| kept == size);
            if there { blocks.take(size) } else { None }
        });
        if let Some(kept) = kept.flatten() {
            // SAFETY: blocks are kept only if `Recycler` is the global allocator, which gets this one back with this layout;
            // it holds at least `len` numbers, and any bits that were left there are numbers.
            return Some(unsafe { Vec::from_raw_parts(kept.cast::<R>(), len, len) });
        }
    }
    zeroed(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_block_is_used_again() {
        // So large that no other test's arrays could be meant; but not so large that Miri takes minutes to look at it.
        let layout = Layout::from_size_align(if cfg!(miri) { LARGE } else { 48 << 20 }, 4).unwrap();
        // SAFETY: the size is not zero; every block goes back with its layout.
        unsafe {
            let first = Recycler.alloc(layout);
            first.write_bytes(7, layout.size());
            Recycler.dealloc(first, layout);
            let second = Recycler.alloc_zeroed(layout);
            assert_eq!(first, second, "the block was not kept");
            assert!(
                (0..layout.size()).step_by(509).all(|i| *second.add(i) == 0),
                "zeros are zeros in a used block, too"
            );
            // A second block at the same time is another one; both are kept, since both were needed at once.
            let other = Recycler.alloc(layout);
            assert_ne!(other, second);
            Recycler.dealloc(second, layout);
            Recycler.dealloc(other, layout);
            assert_eq!(Recycler.alloc(layout), other);
            assert_eq!(Recycler.alloc(layout), second);
            Recycler.dealloc(second, layout);
            Recycler.dealloc(other, layout);
        }
        let held = BLOCKS.with(|blocks| (blocks.held, blocks.most_live)).unwrap();
        assert!(held.0 <= held.1[0].max(held.1[1]) / 2 * 3, "more is kept than was needed");
    }

    #[test]
    fn blocks_of_like_sizes_are_the_same() {
        assert_eq!(block(600_001), block(1_000_404));
        for size in [LARGE, LARGE + 1, 1 << 20, 5_000_000, 123_456_789] {
            let block = block(size).unwrap();
            assert!(block.size() >= size && block.size() < 2 * size, "{size}");
            assert_eq!(super::block(block.size()), Some(block), "a block's size is its own block");
        }
        assert_eq!(block(usize::MAX), None);
    }
}
