//! Layers, loss, optimiser and a whole training step, on as many threads as RNNRS_NUM_THREADS says.
//!
//! Throughput is in floating-point operations per second (a multiply-add is two) where products dominate.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rnnrs::init::{Scheme, initialise};
use rnnrs::kernels::Activation;
use rnnrs::layers::linear::Linear;
use rnnrs::layers::recurrence::{self, Sizes, WeightGradients, Weights};
use rnnrs::layers::rnn::Rnn;
use rnnrs::loss::{self, LinearGradients, Reduction, Targets, Weighting};
use rnnrs::optim::{self, Adam};

const CELL: Rnn = Rnn { activation: Activation::Tanh };

fn numbers(n: usize, scale: f64) -> Vec<f32> {
    let mut out = vec![0.0; n];
    initialise(&mut out, n, Scheme::Uniform, scale, 1).expect("a finite scale");
    out
}

/// The recurrence, forward alone and in training (forward, BPTT, dU, dW, db), over the project's grid of sizes.
fn recurrence(c: &mut Criterion) {
    let mut group = c.benchmark_group("recurrence");
    group.sample_size(20);
    for (size, batch, steps) in
        [(64, 1, 100), (64, 32, 100), (128, 32, 100), (256, 32, 100), (512, 32, 35), (512, 1, 100)]
    {
        let sizes = Sizes { steps, batch, inputs: size, hidden: size };
        let scale = (size as f64).powf(-0.5);
        let (u, w, b) = (numbers(size * size, scale), numbers(size * size, scale), numbers(size, scale));
        let x = numbers(steps * batch * size, 1.0);
        let weights = Weights { u: &u, w: &w, b: &b };
        let forward_flops = (4 * steps * batch * size * size) as u64;
        let name = format!("H={size} B={batch} T={steps}");
        group.throughput(Throughput::Elements(forward_flops));
        group.bench_function(BenchmarkId::new("forward", &name), |bench| {
            bench.iter(|| recurrence::forward(&CELL, sizes, weights, black_box(&x), None).expect("it fits"));
        });
        let dh = numbers(steps * batch * size, 1.0);
        let (mut du, mut dw, mut db) = (vec![0.0; u.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
        group.throughput(Throughput::Elements(forward_flops * 5 / 2));
        group.bench_function(BenchmarkId::new("train", &name), |bench| {
            bench.iter(|| {
                let h = recurrence::forward(&CELL, sizes, weights, black_box(&x), None).expect("it fits");
                let (da, _) = recurrence::backward(&CELL, sizes, &w, &h, &dh).expect("it fits");
                let into = WeightGradients { u: &mut du, w: &mut dw, b: &mut db };
                recurrence::gradients(sizes, &da, (&x, None, &h), &u, into, false).expect("it fits")
            });
        });
    }
    group.finish();
}

/// Output layer, softmax and cross-entropy in one, with gradients.
fn output(c: &mut Criterion) {
    let mut group = c.benchmark_group("linear_softmax_cross_entropy");
    group.sample_size(20);
    for (classes, hidden, rows) in [(65, 256, 2500), (10_000, 200, 700)] {
        let (h, v, bias) =
            (numbers(rows * hidden, 1.0), numbers(classes * hidden, 0.1), numbers(classes, 0.1));
        let ids: Vec<i64> = (0..rows).map(|i| (i * 7919 % classes) as i64).collect();
        let (mut dh, mut dv, mut dc) = (vec![0.0; h.len()], vec![0.0; v.len()], vec![0.0; classes]);
        let layer = Linear { v: &v, c: &bias, inputs: hidden, outputs: classes };
        let weighting = Weighting { weights: None, reduction: Reduction::Mean };
        let targets = Targets { ids: &ids, ignore: None, smoothing: 0.0, weighting };
        group.throughput(Throughput::Elements((6 * rows * hidden * classes) as u64));
        group.bench_function(format!("V={classes} H={hidden} rows={rows}"), |bench| {
            bench.iter(|| {
                let into = LinearGradients { h: &mut dh, v: &mut dv, c: &mut dc };
                loss::linear_softmax_cross_entropy(layer, black_box(&h), targets, Some(into))
                    .expect("it fits")
            });
        });
    }
    group.finish();
}

/// Clipping by norm and Adam, over a flat vector.
fn optimiser(c: &mut Criterion) {
    let mut group = c.benchmark_group("optimiser");
    for n in [100_000, 4_000_000] {
        let (mut theta, mut g) = (numbers(n, 1.0), numbers(n, 1.0));
        let (mut m, mut v) = (vec![0.0; n], vec![0.0; n]);
        let adam = Adam {
            step: 1,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        };
        group.throughput(Throughput::Elements(n as u64));
        group.bench_function(BenchmarkId::new("clip_norm", n), |bench| {
            bench.iter(|| {
                optim::clip_norm(black_box(&mut g), 1e9, optim::Spans::All).expect("a limit above 0")
            });
        });
        group.bench_function(BenchmarkId::new("adam", n), |bench| {
            bench
                .iter(|| adam.step(black_box(&mut theta), &g, (&mut m, &mut v), 1.0).expect("equal lengths"));
        });
    }
    group.finish();
}

criterion_group!(benches, recurrence, output, optimiser);
criterion_main!(benches);
