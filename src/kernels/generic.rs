//! The bodies of the kernels, written once for all instruction sets and number types.
//!
//! The product follows one rule on which everything else relies: **an element of C is one chain of
//! multiply-adds over k in increasing order**, no matter how rows, columns and threads are divided. Therefore
//! results do not depend on the number of threads, and the result of a sequence does not depend on the batch
//! that contains it.

use super::simd::Simd;
use super::{Activation, Real, math};

/// Steps of k computed in a panel before moving to the next panel, so that its slice of B stays in the
/// nearest caches.
const DEPTH_BLOCK: usize = 1024;

/// The largest number of rows of a register tile.
const MOST_ROWS: usize = 8;

/// Unrolling factor of a full tile's loop over k.
const TOGETHER: usize = 2;

/// The product C ← A·B + start, with B packed into panels (see `pack.rs`).
///
/// The rows of A and C may form lines (of pixels), and the columns of A may form runs of numbers. A plain
/// matrix is one line and one run.
pub(super) struct Product<R> {
    /// Lines of A and C.
    pub(super) lines: usize,
    /// Rows of A and C in a line.
    pub(super) rows: usize,
    /// Columns of A, rows of B.
    pub(super) depth: usize,
    /// Columns of A in a run; `depth` is a multiple of it.
    pub(super) run: usize,
    /// Columns of B and C.
    pub(super) columns: usize,
    /// Whether the panels are processed from last to first.
    pub(super) backwards: bool,
    /// Whether B or C exceeds a core's own cache; if so, it is prefetched.
    pub(super) cold: bool,
    /// The first number of A, and the strides of its lines, its rows, its runs and the columns of a run.
    pub(super) a: *const R,
    pub(super) a_line: usize,
    pub(super) a_row: usize,
    pub(super) a_run: usize,
    pub(super) a_column: usize,
    /// The panels of B.
    pub(super) b: *const R,
    /// The initial value of C; null means zero. A row stride of 0 uses one row for all rows (a bias), a
    /// column stride of 0 one number for a whole row.
    pub(super) start: *const R,
    pub(super) start_line: usize,
    pub(super) start_row: usize,
    /// 0 or 1.
    pub(super) start_column: usize,
    /// The first number of C, and the strides of its lines and rows.
    pub(super) c: *mut R,
    pub(super) c_line: usize,
    pub(super) c_row: usize,
}

/// Computes a [`Product`].
///
/// # Safety
/// The pointers must be valid for the given sizes and strides, C must overlap neither A nor B, and the
/// processor must have S's instruction set.
#[inline(always)]
pub(super) unsafe fn product<S: Simd>(p: &Product<S::Number>) {
    let width = S::VECTORS * S::LANES;
    // With several runs, a block of k ends at the end of a run.
    let block = if p.run == p.depth { DEPTH_BLOCK } else { p.run * (DEPTH_BLOCK / p.run).max(1) };
    // The offsets of a tile's rows, hidden from the compiler: otherwise it would advance from row to row by
    // an addition at every step. On an Intel processor these additions compete with the multiply-adds for
    // execution ports.
    let rows_of_a = std::hint::black_box(std::array::from_fn(|i| i * p.a_row));
    let mut done = 0;
    loop {
        let depth = (p.depth - done).min(block);
        let (runs, run) = if depth < p.run { (1, depth) } else { (depth / p.run.max(1), p.run) };
        let a_done = if p.run == p.depth { done * p.a_column } else { done / p.run * p.a_run };
        let panels = p.columns.div_ceil(width);
        for panel in 0..panels {
            let column = if p.backwards { panels - 1 - panel } else { panel } * width;
            let columns = (p.columns - column).min(width);
            let vectors = columns.div_ceil(S::LANES);
            // The next panel is prefetched while the first tiles are computed.
            let following = if p.backwards { column.wrapping_sub(width) } else { column + width };
            let (mut ahead, most) = if p.cold && following < p.columns {
                let columns = (p.columns - following).min(width).next_multiple_of(S::LANES);
                (p.b.wrapping_add(following * p.depth + done * columns), columns / S::LANES)
            } else {
                (p.b, 0)
            };
            let mut left = most;
            for line in 0..p.lines {
                let (mut row, mut rows) = (0, tile_height::<S>(p.rows));
                while rows > 0 {
                    // SAFETY: all offsets stay within the matrices that `Product` describes: line < lines,
                    // row < rows, column < columns, done < depth. The panel at `column` starts after
                    // `column` · depth packed numbers.
                    unsafe {
                        let c = p.c.add(line * p.c_line + row * p.c_row + column);
                        let (start, start_row, start_column) = match (done, p.start.is_null()) {
                            (0, true) => (p.start, 0, 1),
                            (0, false) => {
                                let at = line * p.start_line + row * p.start_row + column * p.start_column;
                                (p.start.add(at), p.start_row, p.start_column)
                            }
                            _ => (c.cast_const(), p.c_row, 1),
                        };
                        let tile = Tile {
                            runs,
                            run,
                            last: columns - (vectors - 1) * S::LANES,
                            a: p.a.add(line * p.a_line + row * p.a_row + a_done),
                            rows_of_a,
                            a_run: p.a_run,
                            a_column: p.a_column,
                            b: p.b.add(column * p.depth + done * vectors * S::LANES),
                            start,
                            start_row,
                            start_column,
                            c,
                            c_row: p.c_row,
                            ahead,
                            ahead_step: if left > 0 { S::LANES } else { 0 },
                            next: c.cast_const().wrapping_add(if row + rows < p.rows {
                                rows * p.c_row
                            } else {
                                p.c_line.wrapping_sub(row * p.c_row)
                            }),
                        };
                        match (vectors, p.cold) {
                            (1, false) => tile_rows::<S, 1, false>(&tile, rows),
                            (2, false) => tile_rows::<S, 2, false>(&tile, rows),
                            (_, false) => tile_rows::<S, 3, false>(&tile, rows),
                            (1, true) => tile_rows::<S, 1, true>(&tile, rows),
                            (2, true) => tile_rows::<S, 2, true>(&tile, rows),
                            (_, true) => tile_rows::<S, 3, true>(&tile, rows),
                        }
                        if left > 0 {
                            left -= 1;
                            ahead = ahead.wrapping_add(depth * S::LANES);
                        }
                    }
                    row += rows;
                    rows = tile_height::<S>(p.rows - row);
                }
            }
        }
        done += depth;
        if done >= p.depth {
            return;
        }
    }
}

/// Returns the height of the next register tile if `rows` rows are left.
///
/// Rows that would be too few to keep the multiply-adds busy by themselves share the last whole tile's rows.
#[inline(always)]
fn tile_height<S: Simd>(rows: usize) -> usize {
    let too_few = super::row::most_rows::<S>();
    if rows > S::ROWS && rows <= S::ROWS + too_few { rows.div_ceil(2) } else { rows.min(S::ROWS) }
}

/// One register tile of C: up to `ROWS` rows and `VECTORS` vectors of columns.
struct Tile<R> {
    /// Runs of columns of A, and columns in each.
    runs: usize,
    run: usize,
    /// Lanes of the last vector that are columns of C.
    last: usize,
    a: *const R,
    rows_of_a: [usize; MOST_ROWS],
    a_run: usize,
    a_column: usize,
    b: *const R,
    start: *const R,
    start_row: usize,
    start_column: usize,
    c: *mut R,
    c_row: usize,
    /// The next address to prefetch, advanced by one vector per step.
    ahead: *const R,
    ahead_step: usize,
    /// The next tile of C.
    next: *const R,
}

#[inline(always)]
unsafe fn tile_rows<S: Simd, const V: usize, const COLD: bool>(t: &Tile<S::Number>, rows: usize) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        match rows {
            1 => tile::<S, 1, V, COLD>(t),
            2 => tile::<S, 2, V, COLD>(t),
            3 => tile::<S, 3, V, COLD>(t),
            4 => tile::<S, 4, V, COLD>(t),
            5 => tile::<S, 5, V, COLD>(t),
            6 => tile::<S, 6, V, COLD>(t),
            7 => tile::<S, 7, V, COLD>(t),
            _ => tile::<S, 8, V, COLD>(t),
        }
    }
}

#[inline(always)]
unsafe fn tile<S: Simd, const M: usize, const V: usize, const COLD: bool>(t: &Tile<S::Number>) {
    let full = t.last == S::LANES;
    // SAFETY: guaranteed by the contract of `product`; of the last vector, only the first `last` lanes access
    // C.
    unsafe {
        let mut sums = [[S::constant(0.0); V]; M];
        if !t.start.is_null() {
            for (i, row) in sums.iter_mut().enumerate() {
                let start = t.start.add(i * t.start_row);
                if t.start_column == 0 {
                    *row = [S::splat(*start); V];
                    continue;
                }
                for (j, sum) in row.iter_mut().enumerate() {
                    let p = start.add(j * S::LANES);
                    *sum = if j + 1 < V || full { S::load(p) } else { S::load_first(p, t.last) };
                }
            }
        }
        // Prefetch the next tile of C to the nearest cache while this one is computed.
        if COLD || M == S::ROWS {
            for i in 0..M {
                for j in 0..V {
                    S::prefetch(t.next.wrapping_add(i * t.c_row + j * S::LANES));
                }
            }
        }
        let (mut b, mut ahead) = (t.b, t.ahead);
        for run in 0..t.runs {
            let mut a = t.a.add(run * t.a_run);
            let times = if M == S::ROWS { t.run / TOGETHER } else { 0 };
            for _ in 0..times {
                for i in 0..TOGETHER {
                    step::<S, M, V, COLD>(t, &mut sums, (&mut a, b.add(i * V * S::LANES)), &mut ahead);
                }
                b = S::unforeseen(b.add(TOGETHER * V * S::LANES));
            }
            for _ in TOGETHER * times..t.run {
                step::<S, M, V, COLD>(t, &mut sums, (&mut a, b), &mut ahead);
                b = b.add(V * S::LANES);
            }
        }
        for (i, row) in sums.iter().enumerate() {
            let c = t.c.add(i * t.c_row);
            for (j, sum) in row.iter().enumerate() {
                let p = c.add(j * S::LANES);
                if j + 1 < V || full {
                    sum.store(p);
                } else {
                    sum.store_first(p, t.last);
                }
            }
        }
    }
}

/// One step of a tile: adds to each row of sums its number of A times a row of B; then advances to the next
/// column of A and prefetches.
#[inline(always)]
unsafe fn step<S: Simd, const M: usize, const V: usize, const COLD: bool>(
    t: &Tile<S::Number>,
    sums: &mut [[S; V]; M],
    (a, b): (&mut *const S::Number, *const S::Number),
    ahead: &mut *const S::Number,
) {
    // SAFETY: the pointers stay within the numbers of A and B that belong to the tile.
    unsafe {
        let mut row_of_b = [S::constant(0.0); V];
        for (j, vector) in row_of_b.iter_mut().enumerate() {
            *vector = S::load(b.add(j * S::LANES));
        }
        for (row, &at) in sums.iter_mut().zip(&t.rows_of_a) {
            let x = S::splat(*a.add(at));
            for (j, sum) in row.iter_mut().enumerate() {
                *sum = x.mul_add(row_of_b[j], *sum);
            }
        }
        // After the last step of a run, the pointer may be outside A; it is not read there.
        *a = S::unforeseen(a.wrapping_add(t.a_column));
        if COLD {
            S::prefetch_far(*ahead);
            *ahead = ahead.wrapping_add(t.ahead_step);
        }
    }
}

/// Sets each number x of a slice to an expression in x and y, where y is the number at the same index of a
/// second slice.
///
/// A macro rather than a function that takes a closure: a closure would not inherit the instruction set of
/// the enclosing function.
macro_rules! each {
    ($S:ty, $pointers:expr, |$y:ident, $x:ident| $value:expr) => {{
        let (y, x, n) = $pointers;
        let whole = n - n % <$S>::LANES;
        for i in (0..whole).step_by(<$S>::LANES) {
            let ($y, $x) = (<$S>::load(y.add(i)), <$S>::load(x.add(i)));
            $value.store(x.add(i));
        }
        if whole < n {
            let last = n - whole;
            let ($y, $x) = (<$S>::load_first(y.add(whole), last), <$S>::load_first(x.add(whole), last));
            $value.store_first(x.add(whole), last);
        }
    }};
}

/// Computes h ← f(a) in place.
#[inline(always)]
pub(super) unsafe fn activate<S: Simd>(activation: Activation, a: &mut [S::Number]) {
    // One pointer serves both slices: a second borrow would invalidate the first.
    let (p, n) = (a.as_mut_ptr(), a.len());
    let slices = (p.cast_const(), p, n);
    // SAFETY: the access stays within the slice; the caller guarantees S's instruction set.
    unsafe {
        let (zero, one) = (S::constant(0.0), S::constant(1.0));
        match activation {
            Activation::Tanh => each!(S, slices, |_y, x| math::tanh(x)),
            Activation::Sigmoid => each!(S, slices, |_y, x| math::sigmoid(x)),
            Activation::Relu => each!(S, slices, |_y, x| zero.max(x)),
            Activation::SaturatedLinear => each!(S, slices, |_y, x| one.min(zero.max(x))),
            Activation::Identity => {}
        }
    }
}

/// Computes da ← dh ⊙ f′(a) in place, with f′ expressed in terms of h = f(a).
#[inline(always)]
pub(super) unsafe fn differentiate<S: Simd>(activation: Activation, h: &[S::Number], dh: &mut [S::Number]) {
    let slices = (h.as_ptr(), dh.as_mut_ptr(), dh.len());
    // SAFETY: the safe wrapper has checked that the slices have equal lengths; the caller guarantees S's
    // instruction set.
    unsafe {
        let (zero, one) = (S::constant(0.0), S::constant(1.0));
        match activation {
            Activation::Tanh => each!(S, slices, |h, d| d.mul(one.sub(h.mul(h)))),
            Activation::Sigmoid => each!(S, slices, |h, d| d.mul(h.mul(one.sub(h)))),
            Activation::Relu => each!(S, slices, |h, d| zero.less(h, d, zero)),
            Activation::SaturatedLinear => {
                each!(S, slices, |h, d| zero.less(h, h.less(one, d, zero), zero));
            }
            Activation::Identity => {}
        }
    }
}

/// Computes x ← e^{x − max x} in place. Returns (max x, Σ e^{x − max x}), from which log-sum-exp follows.
/// Each lane sums its share of the n numbers, so the relative error of the sum is below
/// (n / lanes + lanes + 4) half units in the last place.
#[inline(always)]
pub(super) unsafe fn exponentials<S: Simd>(x: &mut [S::Number]) -> (S::Number, S::Number) {
    let (p, n) = (x.as_mut_ptr(), x.len());
    let whole = n - n % S::LANES;
    // SAFETY: the access stays within the slice; the caller guarantees S's instruction set.
    unsafe {
        let mut most = S::constant(f64::NEG_INFINITY);
        for i in (0..whole).step_by(S::LANES) {
            most = most.max(S::load(p.add(i)));
        }
        let tail = x[whole..].iter().copied();
        let most = tail.fold(most.largest(), |m, x| if x > m { x } else { m });
        let shift = S::splat(most);
        let mut sums = S::constant(0.0);
        for i in (0..whole).step_by(S::LANES) {
            let e = math::exp(S::load(p.add(i)).sub(shift));
            e.store(p.add(i));
            sums = sums.add(e);
        }
        let mut sum = sums.sum();
        if whole < n {
            let e = math::exp(S::load_first(p.add(whole), n - whole).sub(shift));
            e.store_first(p.add(whole), n - whole);
            sum = x[whole..].iter().fold(sum, |s, &e| s + e);
        }
        (most, sum)
    }
}

/// For each column of the matrix x (rows, columns), computes most ← max x, x ← e^{x − most} and
/// sum ← Σ e^{x − most}. `most` is at least the most negative finite number, so that a column of −∞ has the
/// sum 0.
#[inline(always)]
pub(super) unsafe fn column_exponentials<S: Simd>(
    x: &mut [S::Number],
    columns: usize,
    most: &mut [S::Number],
    sums: &mut [S::Number],
) {
    const WIDE: usize = 4;
    let rows = x.len() / columns;
    let mut column = 0;
    // SAFETY: the safe wrapper has checked that x consists of whole rows and that there are `columns`
    // results; of the last vector, only the lanes that are columns are accessed; the caller guarantees S's
    // instruction set.
    unsafe {
        while column < columns {
            let left = columns - column;
            if left >= WIDE * S::LANES {
                exponentials_of::<S, WIDE>(x, (rows, columns, column, S::LANES), most, sums);
                column += WIDE * S::LANES;
            } else {
                let lanes = left.min(S::LANES);
                exponentials_of::<S, 1>(x, (rows, columns, column, lanes), most, sums);
                column += lanes;
            }
        }
    }
}

/// Performs `column_exponentials` for V vectors of columns starting at `column`; `lanes` lanes of the last
/// are columns.
#[inline(always)]
unsafe fn exponentials_of<S: Simd, const V: usize>(
    x: &mut [S::Number],
    (rows, columns, column, lanes): (usize, usize, usize, usize),
    most: &mut [S::Number],
    sums: &mut [S::Number],
) {
    // SAFETY: guaranteed by the caller.
    unsafe {
        let (x, full) = (x.as_mut_ptr().add(column), lanes == S::LANES);
        let mut largest = [S::splat(S::Number::LEAST); V];
        for row in 0..rows {
            for (j, largest) in largest.iter_mut().enumerate() {
                let p = x.add(row * columns + j * S::LANES);
                let value = if full { S::load(p) } else { S::load_first(p, lanes) };
                *largest = largest.max(value);
            }
        }
        let mut total = [S::constant(0.0); V];
        for row in 0..rows {
            for j in 0..V {
                let p = x.add(row * columns + j * S::LANES);
                let value = if full { S::load(p) } else { S::load_first(p, lanes) };
                let e = math::exp(value.sub(largest[j]));
                total[j] = total[j].add(e);
                if full { e.store(p) } else { e.store_first(p, lanes) }
            }
        }
        for j in 0..V {
            let at = column + j * S::LANES;
            let (most, sums) = (most.as_mut_ptr().add(at), sums.as_mut_ptr().add(at));
            if full {
                largest[j].store(most);
                total[j].store(sums);
            } else {
                largest[j].store_first(most, lanes);
                total[j].store_first(sums, lanes);
            }
        }
    }
}

/// Computes x ← x ⊙ factor + shift in place. Returns Σ x.
#[inline(always)]
pub(super) unsafe fn scale_shift<S: Simd>(
    x: &mut [S::Number],
    factor: &[S::Number],
    shift: &[S::Number],
) -> S::Number {
    let n = x.len();
    let whole = n - n % S::LANES;
    let (x, factor, shift) = (x.as_mut_ptr(), factor.as_ptr(), shift.as_ptr());
    // SAFETY: the safe wrapper has checked that the slices have equal lengths; the caller guarantees S's
    // instruction set.
    unsafe {
        let mut sums = S::constant(0.0);
        for i in (0..whole).step_by(S::LANES) {
            let y = S::load(x.add(i)).mul_add(S::load(factor.add(i)), S::load(shift.add(i)));
            y.store(x.add(i));
            sums = sums.add(y);
        }
        if whole < n {
            let last = n - whole;
            let load = (S::load_first(x.add(whole), last), S::load_first(factor.add(whole), last));
            let y = load.0.mul_add(load.1, S::load_first(shift.add(whole), last));
            y.store_first(x.add(whole), last);
            sums = sums.add(y);
        }
        sums.sum()
    }
}
