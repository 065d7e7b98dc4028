//! Identical bits for any number of threads, and for a sequence in any batch. A single test, since the number
//! of threads is global to the process.

use rnnrs::kernels::{Activation, Lines};
use rnnrs::layers::cell::Cell;
use rnnrs::layers::linear::Linear;
use rnnrs::layers::recurrence::{self, Back, Extras, Input, Passed, Recurrent, Sequences, Trace};
use rnnrs::loss::{self, LinearGradients, Reduction, Rule, Sample, Targets, Weighting};
use rnnrs::{init, optim, parallel};

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut out = vec![0.0; n];
    init::initialize(&mut out, n, init::Scheme::Uniform, 0.2, seed).unwrap();
    out
}

#[derive(Debug, Clone)]
struct Sizes {
    cell: Cell,
    sequences: Sequences,
    inputs: usize,
    hidden: usize,
}

impl Sizes {
    /// Returns U, W and b.
    fn weights(&self) -> [Vec<f32>; 3] {
        let (layout, hidden) = (self.cell.layout(), self.hidden);
        [
            numbers(layout.input_blocks() * hidden * self.inputs, 1),
            numbers(layout.recurrent * hidden * hidden, 2),
            numbers(layout.sums * hidden, 3),
        ]
    }

    fn forward(&self, x: &[f32], first: Option<&[f32]>) -> Trace<f32> {
        let [u, w, b] = &self.weights();
        let layer = Recurrent { cell: self.cell, hidden: self.hidden, w, extras: Extras::NONE };
        let input = Input::Vectors { x: Lines::all(x, self.inputs), u, b };
        recurrence::forward("test", layer, &self.sequences, input, first, true).unwrap()
    }
}

/// Returns everything that a training step computes.
fn step(sizes: &Sizes, classes: usize) -> Vec<Vec<f32>> {
    let Sizes { cell, sequences, inputs, hidden } = sizes;
    let (inputs, hidden, rows) = (*inputs, *hidden, sequences.rows());
    let [u, w, b] = sizes.weights();
    let (v, c) = (numbers(classes * hidden, 4), numbers(classes, 5));
    let x = numbers(rows * inputs, 6);
    let first = numbers(sequences.batch() * cell.layout().states() * hidden, 7);
    let trace = sizes.forward(&x, Some(&first));
    let h = trace.h;

    let ids: Vec<i64> = (0..rows as i64).map(|i| i % classes as i64).collect();
    let weighting = Weighting { weights: None, reduction: Reduction::Mean };
    let targets = Targets { ids: &ids, ignore: None, smoothing: 0.0, weighting, mixture: None };
    let layer = Linear { v: &v, c: &c, inputs: hidden, outputs: classes };
    let (mut dh, mut dv, mut dc) = (vec![0.0; h.len()], vec![0.0; v.len()], vec![0.0; classes]);
    let into = LinearGradients { h: &mut dh, v: &mut dv, c: &mut dc };
    let loss = loss::linear_softmax_cross_entropy(layer, &h, targets, Some(into)).unwrap();

    let (drawn, log_expected): (Vec<i64>, _) =
        ((0..classes as i64).step_by(2).collect(), vec![-1.0; classes]);
    let sample = Sample { classes: &drawn, counts: &vec![2; drawn.len()], log_expected: &log_expected };
    let mut sampled = Vec::new();
    for rule in [Rule::Softmax, Rule::Nce] {
        let (mut dh, mut dv, mut dc) = (vec![0.0; h.len()], vec![0.0; v.len()], vec![0.0; classes]);
        let into = LinearGradients { h: &mut dh, v: &mut dv, c: &mut dc };
        let loss = loss::linear_sampled_loss(layer, &h, targets, (rule, sample), Some(into)).unwrap();
        sampled.extend([dh, dv, dc, loss.positions].concat());
    }

    let layer = Recurrent { cell: *cell, hidden, w: &w, extras: Extras::NONE };
    let passed = Passed { h: &h, c: &trace.c, kept: &trace.kept, first: Some(&first), normed: [&[]; 2] };
    let Back { da, dfirst, .. } =
        recurrence::backward("test", layer, sequences, passed, Some(Lines::all(&dh, hidden)), Some(&first))
            .unwrap();
    let (mut du, mut dw, mut db) = (vec![0.0; u.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
    let states = (Some(&first[..]), &h[..], None);
    recurrence::recurrent_gradient("test", (*cell, hidden), sequences, &da, states, &mut dw).unwrap();
    let dx = recurrence::input_gradients(
        "test",
        (*cell, hidden),
        &da,
        (Lines::all(&x, inputs), &u),
        (&mut du, Some(&mut db)),
        true,
    );
    let dx = dx.unwrap().unwrap();

    let mut gradients = [du, dw, db, dv, dc].concat();
    let norm = optim::clip_norm(&mut gradients, 1e-3, optim::Spans::All).unwrap();
    let mut parameters = [u, w, b, v, c].concat();
    let (mut m, mut s) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    let adam = optim::Adam {
        step: 1,
        learning_rate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weight_decay: 0.01,
        decoupled: true,
    };
    adam.step(&mut parameters, &gradients, (&mut m, &mut s), 0.5).unwrap();
    vec![
        h,
        dh,
        sampled,
        da,
        dfirst,
        dx,
        gradients,
        parameters,
        loss.positions,
        vec![loss.total as f32, norm as f32],
    ]
}

#[test]
fn bits_do_not_depend_on_threads_or_batch_mates() {
    let cells = [Cell::Rnn(Activation::Tanh), Cell::Lstm, Cell::Gru];
    for (steps, batch, inputs, hidden, classes) in [
        (40, 33, 17, 100, 65),
        (60, 50, 64, 128, 65),
        (9, 5, 3, 260, 1000),
        (3, 1, 2, 4, 5),
        (3, 20, 3, 730, 5),
    ] {
        let counts: Vec<i64> = (0..steps).map(|t| (batch * (steps - t) / steps) as i64).collect();
        let uneven = Sequences::of_counts("test", &counts, batch).unwrap();
        for sequences in [Sequences::even(steps, batch), uneven] {
            for cell in cells {
                let sizes = Sizes { cell, sequences: sequences.clone(), inputs, hidden };
                same_for_all_threads(&sizes, classes);
                alone(&sizes);
            }
        }
    }
    for wrong in [0, 5000] {
        assert!(parallel::set_num_threads(wrong).is_err());
    }
}

fn same_for_all_threads(sizes: &Sizes, classes: usize) {
    let mut results = Vec::new();
    for threads in [1, 2, 3, 4] {
        parallel::set_num_threads(threads).unwrap();
        assert_eq!(parallel::num_threads().unwrap(), threads);
        results.push(step(sizes, classes));
    }
    for (threads, other) in results.iter().enumerate().skip(1) {
        assert!(*other == results[0], "{sizes:?}: {} threads differ from one", threads + 1);
    }
}

/// Checks that a sequence alone has the same states as in the batch.
fn alone(sizes: &Sizes) {
    let Sizes { sequences, inputs, hidden, .. } = sizes;
    let x = numbers(sequences.rows() * inputs, 6);
    let together = sizes.forward(&x, None);
    // The last of the longest sequences: its position in a tile and in a shard differs between the batch and
    // the single sequence.
    let place = sequences.count(sequences.steps() - 1).max(1) - 1;
    let length = (0..sequences.steps()).take_while(|&t| sequences.count(t) > place).count();
    let rows = |data: &[f32], width: usize| -> Vec<f32> {
        (0..length).flat_map(|t| &data[(sequences.start(t) + place) * width..][..width]).copied().collect()
    };
    let single = Sizes { sequences: Sequences::even(length, 1), ..sizes.clone() };
    let by_itself = single.forward(&rows(&x, *inputs), None);
    assert!(by_itself.h == rows(&together.h, *hidden), "{sizes:?}: a sequence depends on its batch-mates");
}
