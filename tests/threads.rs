//! The same bits for any number of threads, and for a sequence in any batch. One test: the number is the process's.

use rnnrs::kernels::Activation;
use rnnrs::layers::linear::Linear;
use rnnrs::layers::recurrence::{self, Sizes, WeightGradients, Weights};
use rnnrs::layers::rnn::Rnn;
use rnnrs::loss::{self, LinearGradients, Reduction, Rule, Sample, Targets, Weighting};
use rnnrs::{init, optim, parallel};

fn numbers(n: usize, seed: u64) -> Vec<f32> {
    let mut out = vec![0.0; n];
    init::initialise(&mut out, n, init::Scheme::Uniform, 0.2, seed).unwrap();
    out
}

const CELL: Rnn = Rnn { activation: Activation::Tanh };

/// Everything that a training step computes.
fn step(sizes: Sizes, classes: usize) -> Vec<Vec<f32>> {
    let Sizes { steps, batch, inputs, hidden } = sizes;
    let (u, w, b) = (numbers(hidden * inputs, 1), numbers(hidden * hidden, 2), numbers(hidden, 3));
    let (v, c) = (numbers(classes * hidden, 4), numbers(classes, 5));
    let (x, h0) = (numbers(steps * batch * inputs, 6), numbers(batch * hidden, 7));
    let weights = Weights { u: &u, w: &w, b: &b };
    let h = recurrence::forward(&CELL, sizes, weights, &x, Some(&h0)).unwrap();

    let ids: Vec<i64> = (0..(steps * batch) as i64).map(|i| i % classes as i64).collect();
    let weighting = Weighting { weights: None, reduction: Reduction::Mean };
    let targets = Targets { ids: &ids, ignore: None, smoothing: 0.0, weighting };
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

    let (da, dh0) = recurrence::backward(&CELL, sizes, &w, &h, &dh).unwrap();
    let (mut du, mut dw, mut db) = (vec![0.0; u.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
    let into = WeightGradients { u: &mut du, w: &mut dw, b: &mut db };
    let dx = recurrence::gradients(sizes, &da, (&x, Some(&h0), &h), &u, into, true).unwrap().unwrap();

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
        dh0,
        dx,
        gradients,
        parameters,
        loss.positions,
        vec![loss.total as f32, norm as f32],
    ]
}

#[test]
fn bits_do_not_depend_on_threads_or_batch_mates() {
    for (steps, batch, inputs, hidden, classes) in
        [(40, 33, 17, 100, 65), (60, 50, 64, 128, 65), (9, 5, 3, 260, 1000), (3, 1, 2, 4, 5)]
    {
        let sizes = Sizes { steps, batch, inputs, hidden };
        let mut results = Vec::new();
        for threads in [1, 2, 3, 4] {
            parallel::set_num_threads(threads).unwrap();
            assert_eq!(parallel::num_threads().unwrap(), threads);
            results.push(step(sizes, classes));
        }
        for (threads, other) in results.iter().enumerate().skip(1) {
            assert!(*other == results[0], "{sizes:?}: {} threads differ from one", threads + 1);
        }
        alone(sizes);
    }
    for wrong in [0, 5000] {
        assert!(parallel::set_num_threads(wrong).is_err());
    }
}

/// A sequence by itself has the states that it has in the batch.
fn alone(sizes: Sizes) {
    let Sizes { steps, batch, inputs, hidden } = sizes;
    let (u, w, b) = (numbers(hidden * inputs, 1), numbers(hidden * hidden, 2), numbers(hidden, 3));
    let weights = Weights { u: &u, w: &w, b: &b };
    let x = numbers(steps * batch * inputs, 6);
    let together = recurrence::forward(&CELL, sizes, weights, &x, None).unwrap();
    let last = batch - 1;
    let rows = |data: &[f32], width: usize| -> Vec<f32> {
        data.chunks_exact(batch * width).flat_map(|step| step[last * width..].to_vec()).collect()
    };
    let single = Sizes { batch: 1, ..sizes };
    let by_itself = recurrence::forward(&CELL, single, weights, &rows(&x, inputs), None).unwrap();
    assert!(by_itself == rows(&together, hidden), "{sizes:?}: a sequence depends on its batch-mates");
}
