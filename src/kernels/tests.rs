//! Every variant of every kernel against plain loops; fails if a variant that this processor has was left out.

use proptest::prelude::*;

use super::pack::accumulate_with;
use super::*;

/// Runs a test on the kernels of every instruction set of this machine.
fn on_each<R: Real>(mut test: impl FnMut(&'static Kernels<R>)) {
    let mut ran = Vec::new();
    for isa in supported() {
        let kernels = R::kernels_of(isa);
        assert_eq!(kernels.isa, isa, "the table of another instruction set was handed out");
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

/// Numbers that are anything but round: a fixed pseudo-random sequence in −1..1.
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
            (
                Start::Rows(Rows { data: &before, stride: n, count: m }),
                exact(&|i, j| before[i * n + j].wide()),
            ),
            (Start::Accumulate, exact(&|i, j| before[i * n + j].wide())),
        ] {
            let mut c = before.clone();
            packed.multiply(rows, start, RowsMut { data: &mut c, stride: n });
            assert_close(&c, &expected, tolerance, kernels.isa.name());
        }
        // Row by row, the bits are those of the whole: nothing depends on where a row stands.
        let mut whole = before.clone();
        packed.multiply(rows, Start::Zero, RowsMut { data: &mut whole, stride: n });
        for i in 0..m {
            let mut one = vec![R::zero(); n];
            let row = Rows { data: &a[i * k..], stride: k, count: 1 };
            packed.multiply(row, Start::Zero, RowsMut { data: &mut one, stride: n });
            assert_eq!(
                one,
                whole[i * n..(i + 1) * n],
                "{}: row {i} depends on its neighbours",
                kernels.isa.name()
            );
        }
        // Aᵀ·B with the same numbers: A read as (k, m).
        let a_columns: Vec<R> = (0..k * m).map(|at| a[(at % m) * k + at / m]).collect();
        let mut c = before.clone();
        accumulate_with(kernels, "test", (&a_columns, m), (0, m), (&b, n), &mut c).unwrap();
        if k > 0 {
            assert_close(&c, &exact(&|i, j| before[i * n + j].wide()), tolerance, kernels.isa.name());
        }
    });
}

proptest! {
    // Miri runs some thousand times slower: fewer cases there, here and below.
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 3 } else { 60 }))]

    #[test]
    fn products_are_right_at_any_size(m in 1usize..20, k in 0usize..40, n in 1usize..120) {
        product_is_right::<f32>(m, k, n, 2e-5);
        product_is_right::<f64>(m, k, n, 1e-13);
    }

    #[test]
    fn elementwise_kernels_are_right(x in prop::collection::vec(-30.0f64..30.0, 0..70)) {
        elementwise_is_right::<f32>(&x, 1e-6);
        elementwise_is_right::<f64>(&x, 4e-15);
    }
}

#[test]
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
            // SAFETY: `on_each` gives only the kernels of this processor.
            unsafe { (kernels.activate)(activation, &mut h) };
            for (h, e) in h.iter().zip(&expected) {
                assert!((h.wide() - e).abs() <= tolerance * e.abs().max(1e-3), "{activation:?}: {h} for {e}");
            }
            let dh = numbers::<R>(x.len(), 5);
            let mut da = dh.clone();
            // SAFETY: as above; the slices are equally long.
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
                // SAFETY: `on_each` gives only the kernels of this processor.
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

/// |got − exact| in units of the last place of the exact value.
fn ulps<R: Real>(got: R, exact: f64, digits: i32) -> f64 {
    if exact == 0.0 {
        return if got == R::zero() { 0.0 } else { f64::INFINITY };
    }
    let least = R::min_positive_value().wide();
    let unit = libm::ldexp(1.0, libm::ilogb(exact.abs().max(least)) + 1 - digits);
    (got.wide() - exact).abs() / unit
}

#[test]
fn tanh_is_within_two_units_of_the_last_place() {
    on_each::<f32>(|kernels| {
        let mut worst = (0.0, 0.0f32);
        // Every 97th f32: all exponents, both signs.
        let step = if cfg!(miri) { 1 << 23 } else { 97 };
        let x: Vec<f32> =
            (0..=u32::MAX).step_by(step).map(f32::from_bits).filter(|x| x.is_finite()).collect();
        for block in x.chunks(4096) {
            let mut h = block.to_vec();
            // SAFETY: `on_each` gives only the kernels of this processor.
            unsafe { (kernels.activate)(Activation::Tanh, &mut h) };
            for (&x, &h) in block.iter().zip(&h) {
                let error = ulps(h, libm::tanh(f64::from(x)), 24);
                if error > worst.0 {
                    worst = (error, x);
                }
            }
        }
        eprintln!("{}: tanh: {} units at {}", kernels.isa.name(), worst.0, worst.1);
        assert!(worst.0 <= 2.0, "{}: {} units at {}", kernels.isa.name(), worst.0, worst.1);
    });
}
