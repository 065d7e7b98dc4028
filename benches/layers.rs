//! Benchmarks of layers, loss, optimizer and a whole training step. `RNNRS_NUM_THREADS` sets the number of
//! threads.
//!
//! Where products dominate, throughput is in floating-point operations per second (a multiply-add counts as
//! two).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ndarray::{ArrayView2, ArrayViewMut2};
use rnnrs::init::{Scheme, initialize};
use rnnrs::kernels::{Activation, Lines, Recycler};
use rnnrs::layers::cell::Cell;
use rnnrs::layers::embedding;
use rnnrs::layers::linear::Linear;
use rnnrs::layers::recurrence::{self, Back, Extras, Input, Passed, Recurrent, Sequences, Trace};
use rnnrs::layers::stepper::{Stepper, Weights};
use rnnrs::loss::{self, LinearGradients, Reduction, Targets, Weighting};
use rnnrs::optim::{self, Adam};

/// The allocator of the Python module.
#[global_allocator]
static ALLOCATOR: Recycler = Recycler;

const RNN: Cell = Cell::Rnn(Activation::Tanh);

fn numbers(n: usize, scale: f64) -> Vec<f32> {
    let mut out = vec![0.0; n];
    initialize(&mut out, n, Scheme::Uniform, scale, 1).expect("a finite scale");
    out
}

/// A recurrent layer and the layout of its input sequences.
struct Layer<'a> {
    cell: Cell,
    sequences: Sequences,
    hidden: usize,
    inputs: usize,
    /// U, W, b
    weights: [&'a [f32]; 3],
}

impl Layer<'_> {
    fn forward(&self, x: &[f32], keep: bool) -> Trace<f32> {
        let [u, w, b] = self.weights;
        let layer = Recurrent { cell: self.cell, hidden: self.hidden, w, extras: Extras::NONE };
        let input = Input::Vectors { x: Lines::all(x, self.inputs), u, b };
        recurrence::forward("bench", layer, &self.sequences, input, None, keep).expect("enough memory")
    }

    /// Computes BPTT and adds the gradients of U, W and b to `into`; returns dx if `need_dx`.
    fn backward(
        &self,
        x: &[f32],
        trace: &Trace<f32>,
        dh: &[f32],
        into: [&mut [f32]; 3],
        need_dx: bool,
    ) -> Option<Vec<f32>> {
        let ([u, w, _], [du, dw, db], cell) = (self.weights, into, (self.cell, self.hidden));
        let layer = Recurrent { cell: self.cell, hidden: self.hidden, w, extras: Extras::NONE };
        let passed = Passed { h: &trace.h, c: &trace.c, kept: &trace.kept, first: None, normed: [&[]; 2] };
        let Back { da, .. } = recurrence::backward(
            "bench",
            layer,
            &self.sequences,
            passed,
            Some(Lines::all(dh, self.hidden)),
            None,
        )
        .expect("enough memory");
        recurrence::recurrent_gradient("bench", cell, &self.sequences, &da, (None, &trace.h, None), dw)
            .expect("enough memory");
        recurrence::input_gradients(
            "bench",
            cell,
            &da,
            (Lines::all(x, self.inputs), u),
            (du, Some(db)),
            need_dx,
        )
        .expect("enough memory")
    }
}

/// Benchmarks every cell over the project's grid of sizes: the forward pass alone, and training (forward
/// pass, BPTT, dU, dW, db).
fn recurrence(c: &mut Criterion) {
    let mut group = c.benchmark_group("recurrence");
    group.sample_size(20);
    let grid = [(64, 1, 100), (64, 32, 100), (128, 32, 100), (256, 32, 100), (512, 32, 35), (512, 1, 100)];
    for (name, cell) in [("rnn", RNN), ("lstm", Cell::Lstm), ("gru", Cell::Gru)] {
        for (size, batch, steps) in grid {
            let (layout, scale) = (cell.layout(), (size as f64).powf(-0.5));
            let u = numbers(layout.input_blocks() * size * size, scale);
            let w = numbers(layout.recurrent * size * size, scale);
            let (b, x) = (numbers(layout.sums * size, scale), numbers(steps * batch * size, 1.0));
            let sequences = Sequences::even(steps, batch);
            let layer = Layer { cell, sequences, hidden: size, inputs: size, weights: [&u, &w, &b] };
            let forward_flops = (4 * steps * batch * size * size * layout.recurrent) as u64;
            let name = format!("{name} H={size} B={batch} T={steps}");
            group.throughput(Throughput::Elements(forward_flops));
            group.bench_function(BenchmarkId::new("forward", &name), |bench| {
                bench.iter(|| layer.forward(black_box(&x), false));
            });
            let dh = numbers(steps * batch * size, 1.0);
            let (mut du, mut dw, mut db) = (vec![0.0; u.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
            group.throughput(Throughput::Elements(forward_flops * 5 / 2));
            group.bench_function(BenchmarkId::new("train", &name), |bench| {
                bench.iter(|| {
                    let trace = layer.forward(black_box(&x), true);
                    layer.backward(&x, &trace, &dh, [&mut du, &mut dw, &mut db], false)
                });
            });
        }
    }
    group.finish();
}

/// Benchmarks the fused output layer, softmax and cross-entropy, with gradients.
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
        let targets = Targets { ids: &ids, ignore: None, smoothing: 0.0, weighting, mixture: None };
        group.throughput(Throughput::Elements((6 * rows * hidden * classes) as u64));
        group.bench_function(format!("V={classes} H={hidden} rows={rows}"), |bench| {
            bench.iter(|| {
                let into = LinearGradients { h: &mut dh, v: &mut dv, c: &mut dc };
                loss::linear_softmax_cross_entropy(layer, black_box(&h), targets, Some(into))
                    .expect("enough memory")
            });
        });
    }
    group.finish();
}

/// Benchmarks clipping by norm and Adam on a flat vector.
fn optimizer(c: &mut Criterion) {
    let mut group = c.benchmark_group("optimizer");
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

/// Benchmarks a language model's whole training step as the Python package performs it: embedding,
/// recurrence, output layer and loss, BPTT, clipping, Adam.
fn step(c: &mut Criterion) {
    let mut group = c.benchmark_group("language_model_step");
    group.sample_size(20);
    for (classes, inputs, hidden, batch, steps) in [(65, 64, 128, 32, 64), (10_000, 200, 200, 20, 35)] {
        let n = classes * inputs + hidden * (inputs + hidden + 1) + classes * (hidden + 1);
        let (mut theta, mut m, mut s) = (numbers(n, 0.1), vec![0.0; n], vec![0.0; n]);
        let mut g = vec![0.0; n];
        let ids: Vec<i64> = (0..steps * batch).map(|i| (i * 7919 % classes) as i64).collect();
        let mut adam = Adam {
            step: 0,
            learning_rate: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            decoupled: false,
        };
        let flops = 6 * steps * batch * hidden * (inputs + hidden + classes);
        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function(format!("V={classes} E={inputs} H={hidden} B={batch} T={steps}"), |bench| {
            bench.iter(|| {
                g.fill(0.0);
                let [e, u, w, b, v, bias] = divide(&theta, classes, inputs, hidden);
                let [de, du, dw, db, dv, dc] = divide_mut(&mut g, classes, inputs, hidden);
                let table = ArrayView2::from_shape((classes, inputs), e).expect("a matching size");
                let x = embedding::forward(black_box(&ids), table).expect("valid ids");
                let sequences = Sequences::even(steps, batch);
                let rnn = Layer { cell: RNN, sequences, hidden, inputs, weights: [u, w, b] };
                let trace = rnn.forward(&x, true);
                let h = &trace.h;
                let layer = Linear { v, c: bias, inputs: hidden, outputs: classes };
                let weighting = Weighting { weights: None, reduction: Reduction::Mean };
                let targets = Targets { ids: &ids, ignore: None, smoothing: 0.0, weighting, mixture: None };
                let mut dh = vec![0.0; h.len()];
                let into = LinearGradients { h: &mut dh, v: dv, c: dc };
                loss::linear_softmax_cross_entropy(layer, h, targets, Some(into)).expect("enough memory");
                let dx = rnn.backward(&x, &trace, &dh, [du, dw, db], true).expect("dx was requested");
                let dx = ArrayView2::from_shape((ids.len(), inputs), &dx).expect("a matching size");
                let de = ArrayViewMut2::from_shape((classes, inputs), de).expect("a matching size");
                embedding::backward(&ids, dx, de).expect("valid ids");
                let (factor, _) = optim::clipping(&g, 0.25, optim::Spans::All).expect("a limit above 0");
                adam.step += 1;
                adam.step(&mut theta, &g, (&mut m, &mut s), factor).expect("equal lengths");
            });
        });
    }
    group.finish();
}

/// Splits the flat vector into E, U, W, b, V and c.
fn divide(flat: &[f32], classes: usize, inputs: usize, hidden: usize) -> [&[f32]; 6] {
    let mut rest = flat;
    lengths(classes, inputs, hidden).map(|n| rest.split_off(..n).expect("long enough"))
}

fn divide_mut(flat: &mut [f32], classes: usize, inputs: usize, hidden: usize) -> [&mut [f32]; 6] {
    let mut rest = flat;
    lengths(classes, inputs, hidden).map(|n| rest.split_off_mut(..n).expect("long enough"))
}

fn lengths(classes: usize, inputs: usize, hidden: usize) -> [usize; 6] {
    [classes * inputs, hidden * inputs, hidden * hidden, hidden, classes * hidden, classes]
}

/// Benchmarks generation, one token at a time.
fn stepper(c: &mut Criterion) {
    let mut group = c.benchmark_group("stepper");
    for (classes, inputs, hidden, batch) in [(65, 128, 256, 1), (10_000, 200, 200, 1), (10_000, 200, 200, 5)]
    {
        let [u, w, b] = [hidden * inputs, hidden * hidden, hidden].map(|n| numbers(n, 0.1));
        let weights = Weights {
            recurrent: Recurrent { cell: RNN, hidden, w: &w, extras: Extras::NONE },
            u: &u,
            inputs,
            b: &b,
        };
        let (table, v) = (numbers(classes * inputs, 1.0), numbers(classes * hidden, 0.1));
        let (bias, ids) = (numbers(classes, 0.1), vec![3; batch]);
        let mut stepper = Stepper::new(&table, &[weights], (&v, &bias), batch).expect("enough memory");
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(format!("V={classes} E={inputs} H={hidden} batch={batch}"), |bench| {
            bench.iter(|| {
                stepper.advance(black_box(&ids)).expect("valid ids");
                black_box(stepper.output().expect("no interruption")).len()
            });
        });
    }
    group.finish();
}

criterion_group!(benches, recurrence, output, optimizer, step, stepper);
criterion_main!(benches);
