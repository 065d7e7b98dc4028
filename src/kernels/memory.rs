//! Memory: fallible allocation, an allocator that reuses large blocks, and prefetching.
//!
//! A training step allocates and frees the same few large arrays as the step before it. The system's
//! allocator returns such blocks to the system and maps them again, page by page, each page zeroed at its
//! first access: a tenth of the time of a medium-sized step. [`Recycler`] keeps the blocks instead.

use std::alloc::{GlobalAlloc, Layout, System, alloc_zeroed};
use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Real;

/// Smallest size in bytes of a block that is kept for reuse.
const LARGE: usize = 1 << 17;

/// Smallest size in bytes of a block that uses huge pages, and the alignment of such a block.
const HUGE: usize = 1 << 21;

/// The alignment of smaller blocks: one page.
const PAGE: usize = 1 << 12;

/// Largest number of blocks kept.
const MOST_BLOCKS: usize = 128;

/// Length of a season, in large allocations. The peak of memory in use is tracked per season.
const SEASON: u32 = 4096;

/// How many times a thread tries to lock the kept blocks. Another thread holds the lock for a tenth of a
/// microsecond; a new block from the system takes about a microsecond per page.
const TRIES: u32 = 200;

/// An allocator that keeps large blocks for reuse. The kept blocks total at most 1.5 times the recent peak of
/// memory in use.
///
/// The Python module installs it; a Rust program can do so with `#[global_allocator]`.
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

// SAFETY: `inner` is accessed only through `with`, which admits one thread at a time.
unsafe impl Sync for Blocks {}

struct Kept {
    /// (address, size) of the kept blocks, the oldest first.
    blocks: [(*mut u8, usize); MOST_BLOCKS],
    count: usize,
    /// Total bytes kept.
    held: usize,
    /// Bytes of large blocks in use.
    live: usize,
    /// Large allocations in this season.
    season: u32,
    /// Peak of bytes in use, in the previous season and in this one.
    most_live: [usize; 2],
}

impl Blocks {
    /// Runs `f` on the kept blocks. Returns `None` if another thread holds the lock for too long, or held it
    /// when the process forked; the caller then uses the system's allocator.
    fn with<T>(&self, f: impl FnOnce(&mut Kept) -> T) -> Option<T> {
        let mut tries = 0;
        while self.taken.compare_exchange(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            tries += 1;
            if tries == TRIES {
                return None;
            }
            std::hint::spin_loop();
        }
        // SAFETY: this thread has just set `taken`, so no other thread is here; `f` does not call `with`.
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

    /// Keeps a freed block; returns false if there is no entry left for it.
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

    /// Removes and returns the oldest block if more than 1.5 times the recent peak is kept.
    fn surplus(&mut self) -> Option<(*mut u8, usize)> {
        let needed = self.most_live[0].max(self.most_live[1]);
        (self.count > 0 && self.held > needed + needed / 2).then(|| self.remove(0))
    }
}

/// Returns the size and alignment of the block for a large layout. The size is the next power of 2, so that
/// arrays of batches of different lengths share blocks. The unused end of a block is never accessed, so it
/// takes no memory.
fn block(size: usize) -> Option<Layout> {
    let size = size.checked_next_power_of_two()?;
    Layout::from_size_align(size, if size >= HUGE { HUGE } else { PAGE }).ok()
}

fn is_large(layout: Layout) -> bool {
    layout.size() >= LARGE && layout.align() <= PAGE
}

/// Prefetches numbers that will soon be read or written into the core's cache, which hides the memory latency
/// behind other computations.
pub fn prefetch<R>(numbers: &[R]) {
    #[cfg(target_arch = "x86_64")]
    for line in numbers.chunks((64 / size_of::<R>()).max(1)) {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: every x86-64 processor has the instruction, and a prefetch has no observable effect.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(line.as_ptr().cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = numbers;
}

/// Zeroed blocks from the system, whose pages are allocated at first access.
#[cfg(all(target_os = "linux", not(miri)))]
mod system {
    use std::alloc::Layout;

    pub(super) unsafe fn map(block: Layout) -> *mut u8 {
        // A mapping is aligned to a page; a larger alignment needs extra space.
        let room = if block.align() > super::PAGE { block.align() } else { 0 };
        let length = block.size() + room;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping affects no existing memory. Only its parts before and after the aligned block
        // are unmapped. If the system refuses the advice on huge pages, nothing breaks.
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
            // A 2 MB page takes one page fault instead of 512, and one TLB entry.
            if block.size() >= super::HUGE {
                libc::madvise(address.cast(), block.size(), libc::MADV_HUGEPAGE);
            }
            address
        }
    }

    pub(super) unsafe fn unmap(address: *mut u8, block: Layout) {
        // SAFETY: the caller passes an address that `map` returned for this layout.
        unsafe { libc::munmap(address.cast(), block.size()) };
    }
}

/// Zeroed blocks from the system's allocator.
#[cfg(not(all(target_os = "linux", not(miri))))]
mod system {
    use std::alloc::{GlobalAlloc, Layout, System};

    pub(super) unsafe fn map(block: Layout) -> *mut u8 {
        // SAFETY: the size of a block is not zero.
        unsafe { System.alloc_zeroed(block) }
    }

    pub(super) unsafe fn unmap(address: *mut u8, block: Layout) {
        // SAFETY: the caller passes an address that `map` returned for this layout.
        unsafe { System.dealloc(address, block) };
    }
}

/// Returns a large block, and whether it is known to be all zeros.
fn take(layout: Layout) -> (*mut u8, bool) {
    let Some(block) = block(layout.size()) else { return (std::ptr::null_mut(), false) };
    if let Some(kept) = BLOCKS.with(|blocks| blocks.take(block.size())).flatten() {
        return (kept, false);
    }
    // SAFETY: a new block has no precondition; `Recycler::dealloc` returns it with the same layout.
    (unsafe { system::map(block) }, true)
}

// SAFETY: large blocks are mapped with the layout that `block` returns for their size, have one owner at a
// time, and are unmapped with the same layout. Everything else is forwarded to the system's allocator.
unsafe impl GlobalAlloc for Recycler {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: guaranteed by the caller.
            return unsafe { System.alloc(layout) };
        }
        take(layout).0
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if !is_large(layout) {
            // SAFETY: guaranteed by the caller.
            return unsafe { System.alloc_zeroed(layout) };
        }
        let (block, zeros) = take(layout);
        if !block.is_null() && !zeros {
            // SAFETY: the block is at least as large as the layout.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        if !is_large(layout) {
            // SAFETY: guaranteed by the caller.
            return unsafe { System.dealloc(address, layout) };
        }
        let Some(layout) = block(layout.size()) else { return };
        if BLOCKS.with(|blocks| blocks.keep(address, layout.size())) != Some(true) {
            // SAFETY: the caller guarantees that the address came from `take`, with this layout.
            unsafe { system::unmap(address, layout) };
        }
        while let Some(Some((address, size))) = BLOCKS.with(Kept::surplus) {
            // SAFETY: as above; `block` maps a block's size to the block's own layout.
            unsafe { system::unmap(address, block(size).unwrap_unchecked()) };
        }
    }
}

/// Allocates `len` zeros; `None` if the allocation fails.
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
    // SAFETY: the global allocator has just allocated it with the layout of `len` numbers; all bits zero is
    // 0.0.
    Some(unsafe { Vec::from_raw_parts(numbers, len, len) })
}

/// Allocates `len` numbers with unspecified contents, for arrays whose every number is overwritten. Like
/// [`zeroed`], but does not clear a reused block.
pub(crate) fn scratch<R: Real>(len: usize) -> Option<Vec<R>> {
    let layout = Layout::array::<R>(len).ok()?;
    if is_large(layout) {
        let size = block(layout.size())?.size();
        let kept = BLOCKS.with(|blocks| {
            // Count an allocation only if a block is found: otherwise `zeroed` counts it.
            let there = blocks.blocks[..blocks.count].iter().any(|&(_, kept)| kept == size);
            if there { blocks.take(size) } else { None }
        });
        if let Some(kept) = kept.flatten() {
            // SAFETY: blocks are kept only if `Recycler` is the global allocator, which frees this block with
            // the same layout. It holds at least `len` numbers, and any bit pattern left in it is a valid
            // number.
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
        // Larger than any array of another test, but small enough for Miri.
        let layout = Layout::from_size_align(if cfg!(miri) { LARGE } else { 48 << 20 }, 4).unwrap();
        // SAFETY: the size is not zero; every block is freed with its layout.
        unsafe {
            let first = Recycler.alloc(layout);
            first.write_bytes(7, layout.size());
            Recycler.dealloc(first, layout);
            let second = Recycler.alloc_zeroed(layout);
            assert_eq!(first, second, "the block was not reused");
            assert!(
                (0..layout.size()).step_by(509).all(|i| *second.add(i) == 0),
                "a reused block is not zeroed"
            );
            // A second block in use at the same time is a different one; both are kept, since both were in
            // use at once.
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
        assert!(held.0 <= held.1[0].max(held.1[1]) / 2 * 3, "more than 1.5 times the peak is kept");
    }

    #[test]
    fn blocks_of_like_sizes_are_the_same() {
        assert_eq!(block(600_001), block(1_000_404));
        for size in [LARGE, LARGE + 1, 1 << 20, 5_000_000, 123_456_789] {
            let block = block(size).unwrap();
            assert!(block.size() >= size && block.size() < 2 * size, "{size}");
            assert_eq!(super::block(block.size()), Some(block), "a block of a block's size is that block");
        }
        assert_eq!(block(usize::MAX), None);
    }
}
