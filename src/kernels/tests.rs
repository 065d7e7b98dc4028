//! Tests of every variant of every kernel against plain loops. They fail if a variant that this processor has
//! is not run.

use proptest::prelude::*;

use super::outer::accumulate_with;
use super::*;

/// Runs a test on the kernels of every instruction set of this machine.
fn on_each<R: Real>(mut test: impl FnMut(&'static Kernels<R>)) {
    let mut ran = Vec::new();
    for isa in supported() {
        let kernels = R::kernels_of(isa);
        assert_eq!(kernels.isa, isa, "the table belongs to another instruction set");
        test(kernels);
        ran.push(kernels.isa);
    }
    #[cfg(target_arch = "x86_64")]
    for (isa, here) in [
        (Isa::Avx2, is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma")),
        (Isa::Avx512, is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")),
    ] {
        assert_eq!(ran.contains(&isa), here, "{} is here but was not run", isa.name());
    }
    #[cfg(target_arch = "aarch64")]
    assert!(ran.contains(&Isa::Neon), "every aarch64 processor has neon, but it was not run");
    assert!(ran.contains(&Isa::Scalar));
}

/// Returns a fixed pseudo-random sequence in −1..1, of numbers that are not round.
fn numbers<R: Real>(n: usize, salt: u64) -> Vec<R> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            R::of((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

fn assert_close<R: Real>(got: &[R], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len());
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g.wide() - e).abs() <= tolerance, "{what}: at {i}: expected {e}, got {g}");
    }
}

fn product_is_right<R: Real>(m: usize, k: usize, n: usize, tolerance: f64) {
    let (a, b) = (numbers::<R>(m * k, 1), numbers::<R>(k * n, 2));
    let (bias, before) = (numbers::<R>(n, 3), numbers::<R>(m * n, 4));
    let exact = |start: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..m * n)
            .map(|at| {
                let (i, j) = (at / n, at % n);
                start(i, j) + (0..k).map(|p| a[i * k + p].wide() * b[p * n + j].wide()).sum::<f64>()
            })
            .collect()
    };
    let transposed: Vec<R> = (0..n * k).map(|at| b[(at % k) * n + at / k]).collect();
    on_each::<R>(|kernels| {
        let packed = Packed::with(kernels, "test", &b, (k, n), (n, 1)).unwrap();
        let same = Packed::with(kernels, "test", &transposed, (k, 1), (n, k)).unwrap();
        assert_eq!(packed.panels_for_tests(), same.panels_for_tests(), "packing the transpose differs");
        let rows = Rows { data: &a, stride: k, count: m };
        for (start, expected) in [
            (Start::Zero, exact(&|_, _| 0.0)),
            (Start::Row(&bias[..]), exact(&|_, j| bias[j].wide())),
            (Start::Column(&before[..m]), exact(&|i, _| before[i].wide())),
            (
                Start::Rows(Rows { data: &before, stride: n, count: m }),
                exact(&|i, j| before[i * n + j].wide()),
            ),
            (Start::Accumulate, exact(&|i, j| before[i * n + j].wide())),
        ] {
            let mut whole = before.clone();
            packed.multiply(rows, start, RowsMut { data: &mut whole, stride: n });
            assert_close(&whole, &expected, tolerance, kernels.isa.name());
            // Computed row by row, in alternating directions, the bits are the same: they do not depend on
            // the position of a row.
            for i in 0..m {
                let mut one = before[i * n..(i + 1) * n].to_vec();
                let start = match start {
                    Start::Column(column) => Start::Column(&column[i..]),
                    Start::Rows(rows) => Start::Rows(Rows { data: &rows.data[i * n..], stride: n, count: 1 }),
                    other => other,
                };
                let row = Rows { data: &a[i * k..], stride: k, count: 1 };
                packed.multiply_in_turn(row, start, RowsMut { data: &mut one, stride: n }, i % 2 == 1);
                assert_eq!(
                    one,
                    whole[i * n..(i + 1) * n],
                    "{}: row {i} depends on other rows",
                    kernels.isa.name()
                );
            }
        }
        // Aᵀ·B of the same numbers, with A stored as (k, m).
        let a_columns: Vec<R> = (0..k * m).map(|at| a[(at % m) * k + at / m]).collect();
        let mut c = before.clone();
        accumulate_with(kernels, "test", (&a_columns, m), &[(0, m)], Lines::all(&b, n), &mut c).unwrap();
        if k > 0 {
            assert_close(&c, &exact(&|i, j| before[i * n + j].wide()), tolerance, kernels.isa.name());
        }
        // The same columns in a much wider matrix, too far apart to be read in place.
        let wide = m + 150;
        let mut among = vec![R::one(); k * wide];
        for (row, columns) in among.chunks_exact_mut(wide).zip(a_columns.chunks_exact(m)) {
            row[2..2 + m].copy_from_slice(columns);
        }
        let mut same = before.clone();
        accumulate_with(kernels, "test", (&among, wide), &[(2, m)], Lines::all(&b, n), &mut same).unwrap();
        assert_eq!(same, c, "{}: A's other columns change the sums", kernels.isa.name());
        // Rows of B in a given order are read in place.
        let order: Vec<usize> = (0..k).map(|i| (3 * i + 1) % k).collect();
        let gathered: Vec<R> = order.iter().flat_map(|&i| &b[i * n..(i + 1) * n]).copied().collect();
        let sums = [Lines::ordered(&b, n, Some(&order)), Lines::all(&gathered, n)].map(|b| {
            let mut c = before.clone();
            accumulate_with(kernels, "test", (&a_columns, m), &[(0, m)], b, &mut c).unwrap();
            c
        });
        assert_eq!(sums[0], sums[1], "{}: an order changes the sums", kernels.isa.name());
    });
}

/// Upper bounds of the rows, depth and columns of products.
const MOST: (usize, usize, usize) = if cfg!(miri) { (6, 4, 16) } else { (20, 40, 320) };

proptest! {
    // Miri is about a thousand times slower: run fewer cases there, here and below.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 2 } else { 60 }))]

    #[test]
    fn products_are_right_at_any_size(m in 1..MOST.0, k in 0..MOST.1, n in 1..MOST.2) {
        product_is_right::<f32>(m, k, n, 2e-5);
        product_is_right::<f64>(m, k, n, 1e-13);
    }

    #[test]
    fn elementwise_kernels_are_right(x in prop::collection::vec(-30.0f64..30.0, 0..MOST.2)) {
        elementwise_is_right::<f32>(&x, 1e-6);
        elementwise_is_right::<f64>(&x, 4e-15);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes hours in Miri and covers no additional code")]
fn products_with_a_long_sum_are_right() {
    product_is_right::<f32>(9, 2500, 50, 1e-3);
    product_is_right::<f64>(9, 2500, 50, 1e-11);
}

fn exact(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Tanh => libm::tanh(x),
        Activation::Relu => x.max(0.0),
        Activation::Sigmoid => 1.0 / (1.0 + libm::exp(-x)),
        Activation::Identity => x,
        Activation::SaturatedLinear => x.clamp(0.0, 1.0),
    }
}

fn exact_derivative(activation: Activation, h: f64) -> f64 {
    match activation {
        Activation::Tanh => 1.0 - h * h,
        Activation::Relu => f64::from(u8::from(h > 0.0)),
        Activation::Sigmoid => h * (1.0 - h),
        Activation::Identity => 1.0,
        Activation::SaturatedLinear => f64::from(u8::from(h > 0.0 && h < 1.0)),
    }
}

fn elementwise_is_right<R: Real>(x: &[f64], tolerance: f64) {
    let x: Vec<R> = x.iter().map(|&x| R::of(x)).collect();
    on_each::<R>(|kernels| {
        for activation in Activation::ALL {
            let expected: Vec<f64> = x.iter().map(|x| exact(activation, x.wide())).collect();
            let mut h = x.clone();
            // SAFETY: `on_each` passes only kernels of this processor.
            unsafe { (kernels.activate)(activation, &mut h) };
            for (h, e) in h.iter().zip(&expected) {
                assert!((h.wide() - e).abs() <= tolerance * e.abs().max(1e-3), "{activation:?}: {h} for {e}");
            }
            let dh = numbers::<R>(x.len(), 5);
            let mut da = dh.clone();
            // SAFETY: as above; the slices have equal lengths.
            unsafe { (kernels.differentiate)(activation, &h, &mut da) };
            let expected: Vec<f64> =
                h.iter().zip(&dh).map(|(h, d)| d.wide() * exact_derivative(activation, h.wide())).collect();
            assert_close(&da, &expected, tolerance, "derivative");
        }
        let mut e = x.clone();
        // SAFETY: as above.
        let (most, sum) = unsafe { (kernels.exponentials)(&mut e) };
        let largest = x.iter().map(|x| x.wide()).fold(f64::NEG_INFINITY, f64::max);
        assert_eq!(most.wide(), largest);
        let expected: Vec<f64> = x.iter().map(|x| libm::exp(x.wide() - largest)).collect();
        assert_close(&e, &expected, tolerance, "exponentials");
        assert!((sum.wide() - expected.iter().sum::<f64>()).abs() <= tolerance * x.len() as f64);
    });
    columns_are_right(&x, tolerance);
}

/// Checks the kernels of a matrix's columns and rows, for every matrix shape of `x.len()` numbers.
fn columns_are_right<R: Real>(x: &[R], tolerance: f64) {
    for columns in (1..=x.len()).filter(|columns| x.len().is_multiple_of(*columns)) {
        let (factor, shift) = (numbers::<R>(columns, 6), numbers::<R>(columns, 7));
        on_each::<R>(|kernels| {
            let (mut e, mut most, mut sums) =
                (x.to_vec(), vec![R::zero(); columns], vec![R::zero(); columns]);
            // SAFETY: `on_each` passes only kernels of this processor; the sizes match.
            unsafe { (kernels.column_exponentials)(&mut e, columns, &mut most, &mut sums) };
            for j in 0..columns {
                let column = || x[j..].iter().step_by(columns).map(|x| x.wide());
                let largest = column().fold(f64::NEG_INFINITY, f64::max);
                assert_eq!(most[j].wide(), largest);
                let expected: Vec<f64> = column().map(|x| libm::exp(x - largest)).collect();
                let got: Vec<R> = e[j..].iter().step_by(columns).copied().collect();
                assert_close(&got, &expected, tolerance, "exponentials of a column");
                let sum = expected.iter().sum::<f64>();
                assert!((sums[j].wide() - sum).abs() <= tolerance * expected.len() as f64);
            }
            for row in x.chunks_exact(columns) {
                let mut y = row.to_vec();
                // SAFETY: as above; the slices have equal lengths.
                let sum = unsafe { (kernels.scale_shift)(&mut y, &factor, &shift) };
                let expected: Vec<f64> =
                    (0..columns).map(|j| row[j].wide() * factor[j].wide() + shift[j].wide()).collect();
                assert_close(&y, &expected, 30.0 * tolerance, "scale and shift");
                let total = expected.iter().sum::<f64>();
                assert!((sum.wide() - total).abs() <= 30.0 * tolerance * columns as f64);
            }
        });
    }
}

#[test]
fn special_numbers_stay_what_they_are() {
    fn check<R: Real>() {
        let (inf, nan) = (R::infinity(), R::nan());
        let x = [nan, inf, -inf, R::zero(), -R::zero(), R::min_positive_value(), -R::min_positive_value()];
        let x: Vec<R> = x.iter().copied().cycle().take(40).collect();
        on_each::<R>(|kernels| {
            for activation in Activation::ALL {
                let mut h = x.clone();
                // SAFETY: `on_each` passes only kernels of this processor.
                unsafe { (kernels.activate)(activation, &mut h) };
                for (x, h) in x.iter().zip(&h) {
                    let e = exact(activation, x.wide());
                    let right = if x.is_nan() { h.is_nan() } else { R::of(e) == *h };
                    assert!(right, "{} {activation:?}: {h} for {x}", kernels.isa.name());
                    if activation == Activation::Tanh && *x == R::zero() {
                        assert_eq!(h.is_sign_negative(), x.is_sign_negative(), "the sign of zero");
                    }
                }
            }
        });
    }
    check::<f32>();
    check::<f64>();
}

/// Returns |got − exact| in units of the last place of the exact value.
fn ulps<R: Real>(got: R, exact: f64, digits: i32) -> f64 {
    if exact == 0.0 {
        return if got == R::zero() { 0.0 } else { f64::INFINITY };
    }
    let least = R::min_positive_value().wide();
    let unit = libm::ldexp(1.0, libm::ilogb(exact.abs().max(least)) + 1 - digits);
    (got.wide() - exact).abs() / unit
}

/// Returns the largest error of tanh, in units of the last place, and its argument, over the f32 with bits
/// `from..until` in steps of `step`, with both signs.
fn worst_tanh(kernels: &Kernels<f32>, from: u32, until: u32, step: usize) -> (f64, f32) {
    let mut worst = (0.0, 0.0f32);
    let (mut h, mut minus) = (Vec::new(), Vec::new());
    for block in (from..until).step_by(step * 4096) {
        let end = (u64::from(block) + step as u64 * 4096).min(u64::from(until)) as u32;
        let x: Vec<f32> = (block..end).step_by(step).map(f32::from_bits).collect();
        h.clone_from(&x);
        minus.clear();
        minus.extend(x.iter().map(|x| -x));
        // SAFETY: the callers pass only kernels of this processor.
        unsafe { (kernels.activate)(Activation::Tanh, &mut h) };
        // SAFETY: as above.
        unsafe { (kernels.activate)(Activation::Tanh, &mut minus) };
        for ((&x, &h), &minus) in x.iter().zip(&h).zip(&minus) {
            assert_eq!(minus.to_bits(), (-h).to_bits(), "tanh is odd: {x}");
            let wide = f64::from(x);
            // Skip the library call where two terms of the series suffice, or where tanh is 1 in f64.
            let exact = match wide {
                w if w < 1e-4 => w - w * w * w / 3.0,
                w if w > 20.0 => 1.0,
                w => libm::tanh(w),
            };
            let error = ulps(h, exact, 24);
            if error > worst.0 {
                worst = (error, x);
            }
        }
    }
    worst
}

#[test]
fn tanh_is_within_two_units_of_the_last_place() {
    // Every f32 in an optimized build; every 997th in other builds and in an emulator; only a few in Miri.
    let step = if cfg!(miri) {
        1 << 25
    } else if cfg!(debug_assertions) || std::env::var_os("RNNRS_FEW_NUMBERS").is_some() {
        997
    } else {
        1
    };
    on_each::<f32>(|kernels| {
        let (ends, threads) = (f32::INFINITY.to_bits(), 8);
        let worst: Vec<_> = std::thread::scope(|scope| {
            // Each thread takes every eighth block, since the costly blocks are adjacent.
            let handles: Vec<_> = (0..threads)
                .map(|i| {
                    scope.spawn(move || {
                        (0..ends)
                            .step_by(step.max(1 << 20))
                            .skip(i)
                            .step_by(threads)
                            .map(|from| {
                                worst_tanh(kernels, from, from.saturating_add(1 << 20).min(ends), step)
                            })
                            .fold((0.0, 0.0), |m, x| if x.0 > m.0 { x } else { m })
                    })
                })
                .collect();
            handles.into_iter().map(|handle| handle.join().unwrap()).collect()
        });
        let worst = worst.into_iter().fold((0.0, 0.0), |m, x| if x.0 > m.0 { x } else { m });
        eprintln!("{}: tanh: {} units at {}", kernels.isa.name(), worst.0, worst.1);
        assert!(worst.0 <= 2.0, "{}: {} units at {}", kernels.isa.name(), worst.0, worst.1);
    });
}

/// Returns the largest error of a kernel over some f32, in units of the last place, and its argument.
fn worst_of(x: &[f32], got: &[f32], exact: impl Fn(f64) -> f64) -> (f64, f32) {
    x.iter().zip(got).fold((0.0, 0.0), |worst, (&x, &got)| {
        let error = ulps(got, exact(f64::from(x)), 24);
        if error > worst.0 { (error, x) } else { worst }
    })
}

/// Returns every 997th f32 from 0 to `most` (fewer in Miri), with both signs.
fn sample(most: f32) -> Vec<f32> {
    let step = if cfg!(miri) { 1 << 25 } else { 997 };
    (0..most.to_bits()).step_by(step).map(f32::from_bits).flat_map(|x| [x, -x]).collect()
}

#[test]
fn sigmoid_and_exp_are_within_their_bounds() {
    on_each::<f32>(|kernels| {
        let x = sample(87.0);
        let mut h = x.clone();
        // SAFETY: `on_each` passes only kernels of this processor.
        unsafe { (kernels.activate)(Activation::Sigmoid, &mut h) };
        let worst = worst_of(&x, &h, |x| 1.0 / (1.0 + libm::exp(-x)));
        assert!(worst.0 <= 3.0, "{}: sigmoid: {} units at {}", kernels.isa.name(), worst.0, worst.1);

        // With 0 included, the maximum is 0 and the result is e^x.
        let x: Vec<f32> = sample(87.0).into_iter().map(|x| -x.abs()).chain([0.0]).collect();
        let mut e = x.clone();
        // SAFETY: as above.
        let (most, _) = unsafe { (kernels.exponentials)(&mut e) };
        assert_eq!(most, 0.0);
        let worst = worst_of(&x, &e, libm::exp);
        assert!(worst.0 <= 2.0, "{}: exp: {} units at {}", kernels.isa.name(), worst.0, worst.1);
    });
}

#[test]
fn log_sum_exp_is_within_its_bound() {
    for n in [1, 17, 1000, if cfg!(miri) { 2000 } else { 100_000 }] {
        let x: Vec<f32> = numbers::<f32>(n, 8).iter().map(|x| 20.0 * x).collect();
        let largest = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exact: f64 = x.iter().map(|x| libm::exp(f64::from(*x) - f64::from(largest))).sum();
        on_each::<f32>(|kernels| {
            let mut e = x.clone();
            // SAFETY: `on_each` passes only kernels of this processor.
            let (most, sum) = unsafe { (kernels.exponentials)(&mut e) };
            assert_eq!(most, largest);
            // Each lane sums its share; the exponentials themselves are within two units.
            let bound = (n.div_ceil(kernels.lanes) + kernels.lanes + 4) as f64 * 0.5f64.powi(24);
            let error = (f64::from(sum) / exact - 1.0).abs();
            assert!(error <= bound, "{}: {n} numbers: {error:e} > {bound:e}", kernels.isa.name());
        });
    }
}

/// A formula that uses all its inputs.
struct Mixture;

impl cell::Formula<3, 2> for Mixture {
    #[inline(always)]
    fn step<V: cell::Vector>(&self, [a, b, c]: [V; 3], [h, s]: [V; 2]) -> ([V; 3], [V; 2]) {
        let (a, b, c) = (a.sigmoid(), b.tanh(), c + V::constant(0.25));
        ([a, b, c], [a * h - b, c.mul_add(s, a)])
    }
    #[inline(always)]
    fn derivative<V: cell::Vector>(
        &self,
        [a, b, c]: [V; 3],
        [h, s]: [V; 2],
        [h_after, s_after]: [V; 2],
        [dh, ds]: [V; 2],
    ) -> ([V; 3], [V; 2]) {
        ([a * dh, b * ds + h, c - s], [h_after * dh, s_after - ds])
    }
}

fn formulas_are_right<R: Real>(rows: usize, hidden: usize, tolerance: f64) {
    let n = rows * hidden;
    let (sums, h, s) = (numbers::<R>(3 * n, 1), numbers::<R>(n, 2), numbers::<R>(n, 3));
    let at = |array: &[R], block: usize, i: usize| -> f64 {
        array[i / hidden * 3 * hidden + block * hidden + i % hidden].wide()
    };
    let wide = |array: &[R]| -> Vec<f64> { array.iter().map(|x| x.wide()).collect() };
    let (h_wide, s_wide) = (wide(&h), wide(&s));
    let sigmoid = |x: f64| 1.0 / (1.0 + libm::exp(-x));
    let exact: Vec<[f64; 5]> = (0..n)
        .map(|i| {
            let (a, b, c) = (sigmoid(at(&sums, 0, i)), libm::tanh(at(&sums, 1, i)), at(&sums, 2, i) + 0.25);
            [a, b, c, a * h_wide[i] - b, c * s_wide[i] + a]
        })
        .collect();
    on_each::<R>(|kernels| {
        // One number beyond the rows, which must not be written.
        let mut kept = sums.clone();
        let mut after = [vec![R::zero(); n + 1], vec![R::zero(); n + 1]];
        let [h_after, s_after] = &mut after;
        cell::step_on(kernels, &Mixture, hidden, &mut kept, [&h, &s], [h_after, s_after]);
        for (i, exact) in exact.iter().enumerate() {
            let got =
                [at(&kept, 0, i), at(&kept, 1, i), at(&kept, 2, i), after[0][i].wide(), after[1][i].wide()];
            for (got, exact) in got.iter().zip(exact) {
                assert!(
                    (got - exact).abs() <= tolerance,
                    "step of {rows} x {hidden} at {i}: {got}, not {exact}"
                );
            }
        }
        assert!(after.iter().all(|x| x[n] == R::zero()), "a number beyond the rows was written");

        let (mut dh, mut ds, mut da) = (numbers::<R>(n, 4), numbers::<R>(n, 5), vec![R::zero(); 3 * n]);
        let (dh_before, ds_before) = (wide(&dh), wide(&ds));
        let states = ([&h[..], &s], [&after[0][..], &after[1]]);
        cell::derivative_on(kernels, &Mixture, hidden, &kept, states, [&mut dh, &mut ds], &mut da);
        for i in 0..n {
            let (a, b, c) = (at(&kept, 0, i), at(&kept, 1, i), at(&kept, 2, i));
            for (got, exact) in [
                (at(&da, 0, i), a * dh_before[i]),
                (at(&da, 1, i), b * ds_before[i] + h_wide[i]),
                (at(&da, 2, i), c - s_wide[i]),
                (dh[i].wide(), after[0][i].wide() * dh_before[i]),
                (ds[i].wide(), after[1][i].wide() - ds_before[i]),
            ] {
                assert!(
                    (got - exact).abs() <= tolerance,
                    "derivative of {rows} x {hidden} at {i}: {got}, not {exact}"
                );
            }
        }
    });
}

#[test]
fn a_cell_s_formulas_over_rows() {
    for (rows, hidden) in [(1, 1), (3, 5), (2, 16), (2, 17), (1, 50), (4, 8), (0, 3)] {
        formulas_are_right::<f32>(rows, hidden, 1e-6);
        formulas_are_right::<f64>(rows, hidden, 1e-15);
    }
}
