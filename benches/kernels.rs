//! Benchmarks of the kernels on one thread: the matrix product at sizes typical of a recurrence, and the
//! nonlinearities.
//!
//! Throughput is in multiply-adds per second for products, in numbers per second for all other kernels.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rnnrs::init::{Scheme, initialize};
use rnnrs::kernels::{
    Activation, Lines, Packed, Real, Rows, RowsMut, Start, accumulate_transposed, activate, differentiate,
    exponentials,
};

fn numbers<R: Real>(n: usize) -> Vec<R> {
    let mut out = vec![R::zero(); n];
    initialize(&mut out, n, Scheme::Uniform, 1.0, 1).expect("a finite scale");
    out
}

fn product<R: Real>(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("product/{}", R::NAME));
    for (rows, size) in [(1, 512), (16, 64), (16, 256), (16, 512), (16, 333), (64, 1024)] {
        let (a, b) = (numbers::<R>(rows * size), numbers::<R>(size * size));
        let packed = Packed::of("bench", &b, size, size).expect("enough memory");
        let mut out = vec![R::zero(); rows * size];
        group.throughput(Throughput::Elements((rows * size * size) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows}x{size}x{size}")), |bench| {
            bench.iter(|| {
                let a = Rows { data: black_box(&a), stride: size, count: rows };
                packed.multiply(a, Start::Zero, RowsMut { data: &mut out, stride: size });
            });
        });
    }
    group.finish();
}

fn outer<R: Real>(c: &mut Criterion) {
    let mut group = c.benchmark_group(format!("sum_of_outer_products/{}", R::NAME));
    for (rows, size) in [(3200, 64), (3200, 256), (1120, 512)] {
        let (a, b) = (numbers::<R>(rows * size), numbers::<R>(rows * size));
        let mut out = vec![R::zero(); size * size];
        group.throughput(Throughput::Elements((rows * size * size) as u64));
        group.bench_function(BenchmarkId::from_parameter(format!("{rows} rows of {size}")), |bench| {
            bench.iter(|| {
                accumulate_transposed(
                    "bench",
                    (black_box(&a), size),
                    &[(0, size)],
                    Lines::all(&b, size),
                    &mut out,
                )
                .expect("enough memory");
            });
        });
    }
    group.finish();
}

fn elementwise<R: Real>(c: &mut Criterion) {
    let n = 4096;
    let mut group = c.benchmark_group(format!("elementwise/{}", R::NAME));
    group.throughput(Throughput::Elements(n as u64));
    let (start, h) = (numbers::<R>(n), numbers::<R>(n));
    let mut x = start.clone();
    for activation in Activation::ALL {
        group.bench_function(activation.name(), |bench| {
            bench.iter(|| {
                x.copy_from_slice(&start);
                activate(activation, black_box(&mut x));
            });
        });
    }
    group.bench_function("derivative of tanh", |bench| {
        bench.iter(|| differentiate(Activation::Tanh, black_box(&h), &mut x));
    });
    group.bench_function("exponentials", |bench| {
        bench.iter(|| {
            x.copy_from_slice(&start);
            exponentials(black_box(&mut x))
        });
    });
    group.finish();
}

criterion_group!(
    benches,
    product::<f32>,
    product::<f64>,
    outer::<f32>,
    outer::<f64>,
    elementwise::<f32>,
    elementwise::<f64>
);
criterion_main!(benches);
