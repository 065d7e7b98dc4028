//! Backpropagation against finite differences in f64, through the crate's public functions.

use rnnrs::kernels::{Activation, Lines};
use rnnrs::layers::cell::Cell;
use rnnrs::layers::embedding;
use rnnrs::layers::linear::{self, Linear};
use rnnrs::layers::recurrence::{self, Back, Extras, Input, Passed, Recurrent, Sequences, Trace};
use rnnrs::loss::{self, LinearGradients, Reduction, Rule, Sample, Targets, Weighting};

/// Returns a fixed pseudo-random sequence in −scale..scale.
fn numbers(n: usize, salt: u64, scale: f64) -> Vec<f64> {
    let mut state = salt.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..n)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            scale * ((state >> 11) as f64 / (1u64 << 52) as f64 - 1.0)
        })
        .collect()
}

/// Returns the largest relative difference between a gradient and (f(θ + ε) − f(θ − ε)) / 2ε,
/// extrapolated from ε and 2ε.
fn worst(theta: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64) -> f64 {
    let slope = |i: usize, e: f64| {
        let mut moved = theta.to_vec();
        moved[i] += e;
        let up = f(&moved);
        moved[i] = theta[i] - e;
        (up - f(&moved)) / (2.0 * e)
    };
    let numeric: Vec<f64> = (0..theta.len()).map(|i| (4.0 * slope(i, 1e-4) - slope(i, 2e-4)) / 3.0).collect();
    let largest = numeric.iter().fold(1e-300f64, |m, x| m.max(x.abs()));
    let error = |(g, n): (&f64, &f64)| (g - n).abs() / g.abs().max(n.abs()).max(1e-3 * largest);
    gradient.iter().zip(&numeric).map(error).fold(0.0, f64::max)
}

/// A recurrent layer, and a loss Σ r ⊙ h + Σ q ⊙ (last state) with fixed r and q.
struct Recurrence {
    cell: Cell,
    sequences: Sequences,
    r: Vec<f64>,
    q: Vec<f64>,
}

const I: usize = 4;
const H: usize = 6;

impl Recurrence {
    fn new(cell: Cell, sequences: Sequences) -> Self {
        let states = sequences.batch() * cell.layout().states() * H;
        let (r, q) = (numbers(sequences.rows() * H, 11, 1.0), numbers(states, 12, 1.0));
        Recurrence { cell, sequences, r, q }
    }

    /// Returns the lengths of x, the initial state, U, W and b, in that order.
    fn lengths(&self) -> [usize; 5] {
        let layout = self.cell.layout();
        [
            self.sequences.rows() * I,
            self.q.len(),
            layout.input_blocks() * H * I,
            layout.recurrent * H * H,
            layout.sums * H,
        ]
    }

    fn parts<'a>(&self, theta: &'a [f64]) -> [&'a [f64]; 5] {
        let mut rest = theta;
        self.lengths().map(|n| rest.split_off(..n).unwrap())
    }

    fn forward(&self, theta: &[f64]) -> Trace<f64> {
        let [x, first, u, w, b] = self.parts(theta);
        let layer = Recurrent { cell: self.cell, hidden: H, w, extras: Extras::NONE };
        let input = Input::Vectors { x: Lines::all(x, I), u, b };
        recurrence::forward("test", layer, &self.sequences, input, Some(first), true).unwrap()
    }

    fn loss(&self, theta: &[f64]) -> f64 {
        let trace = self.forward(theta);
        let dot = |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| a * b).sum() };
        dot(&trace.h, &self.r) + dot(&trace.last, &self.q)
    }

    fn gradient(&self, theta: &[f64]) -> Vec<f64> {
        let [x, first, u, w, b] = self.parts(theta);
        let (trace, cell) = (self.forward(theta), (self.cell, H));
        let passed =
            Passed { h: &trace.h, c: &trace.c, kept: &trace.kept, first: Some(first), normed: [&[]; 2] };
        let layer = Recurrent { cell: self.cell, hidden: H, w, extras: Extras::NONE };
        let Back { da, dfirst, .. } = recurrence::backward(
            "test",
            layer,
            &self.sequences,
            passed,
            Some(Lines::all(&self.r, H)),
            Some(&self.q),
        )
        .unwrap();
        let (mut du, mut dw, mut db) = (vec![0.0; u.len()], vec![0.0; w.len()], vec![0.0; b.len()]);
        let states = (Some(first), &trace.h[..], None);
        recurrence::recurrent_gradient("test", cell, &self.sequences, &da, states, &mut dw).unwrap();
        let dx = recurrence::input_gradients(
            "test",
            cell,
            &da,
            (Lines::all(x, I), u),
            (&mut du, Some(&mut db)),
            true,
        );
        [dx.unwrap().unwrap(), dfirst, du, dw, db].concat()
    }
}

#[test]
fn the_recurrence_of_every_cell() {
    let cells = Activation::ALL.map(Cell::Rnn).into_iter().chain([Cell::Lstm, Cell::Gru]);
    for cell in cells {
        for counts in [&[3, 3, 3, 3, 3][..], &[3, 2, 2, 1], &[2, 2]] {
            let sequences = Sequences::of_counts("test", counts, 3).unwrap();
            let problem = Recurrence::new(cell, sequences);
            let theta = numbers(problem.lengths().iter().sum(), 7, 0.6);
            let error = worst(&theta, &problem.gradient(&theta), |theta| problem.loss(theta));
            assert!(error <= 1e-6, "{cell:?}, {counts:?}: {error}");
        }
    }
}

#[test]
fn the_linear_layer() {
    let (n, inputs, outputs) = (7, 5, 4);
    let r = numbers(n * outputs, 3, 1.0);
    let theta = numbers(n * inputs + outputs * inputs + outputs, 4, 1.0);
    let parts = |theta: &[f64]| {
        let (x, rest) = theta.split_at(n * inputs);
        let (v, c) = rest.split_at(outputs * inputs);
        (x.to_vec(), v.to_vec(), c.to_vec())
    };
    let (x, v, c) = parts(&theta);
    let layer = Linear { v: &v, c: &c, inputs, outputs };
    let (mut dv, mut dc) = (vec![0.0; v.len()], vec![0.0; c.len()]);
    let dx = linear::backward(layer, (&x, n), &r, (&mut dv, &mut dc), true).unwrap().unwrap();
    let error = worst(&theta, &[dx, dv, dc].concat(), |theta| {
        let (x, v, c) = parts(theta);
        let o = linear::forward(Linear { v: &v, c: &c, inputs, outputs }, &x, n).unwrap();
        o.iter().zip(&r).map(|(o, r)| o * r).sum()
    });
    assert!(error <= 1e-6, "{error}");
}

#[test]
fn the_embedding() {
    let ids = [2i64, 0, 2, 3, 2];
    let r = numbers(ids.len() * 3, 3, 1.0);
    let table = numbers(4 * 3, 4, 1.0);
    let view = |t: &[f64]| ndarray::Array2::from_shape_vec((4, 3), t.to_vec()).unwrap();
    let mut dtable = ndarray::Array2::zeros((4, 3));
    let dx = ndarray::ArrayView2::from_shape((5, 3), &r).unwrap();
    embedding::backward(&ids, dx, dtable.view_mut()).unwrap();
    let error = worst(&table, dtable.as_slice().unwrap(), |t| {
        embedding::forward(&ids, view(t).view()).unwrap().iter().zip(&r).map(|(x, r)| x * r).sum()
    });
    assert!(error <= 1e-6, "{error}");
}

#[test]
fn every_loss_with_every_option() {
    let (rows, classes) = (6, 5);
    let o = numbers(rows * classes, 5, 3.0);
    let y: Vec<f64> = numbers(rows * classes, 6, 0.5).iter().map(|y| y + 0.5).collect();
    let ids = [1i64, -1, 4, 0, 2, 2];
    let w = [0.5, 1.0, 0.0, 2.0, 1.0, 0.3];
    for reduction in [Reduction::Sum, Reduction::Mean] {
        for weights in [None, Some(&w[..])] {
            let weighting = Weighting { weights, reduction };
            for smoothing in [0.0, 0.1] {
                let targets = Targets { ids: &ids, ignore: Some(-1), smoothing, weighting, mixture: None };
                let run = |o: &mut [f64]| loss::softmax_cross_entropy(o, classes, targets).unwrap().total;
                check_loss("softmax", &o, run);
            }
            check_loss("sigmoid", &o, |o| {
                loss::sigmoid_cross_entropy(o, classes, &y, weighting).unwrap().total
            });
            check_loss("squared", &o, |o| loss::squared_error(o, classes, &y, weighting).unwrap().total);
        }
    }
}

fn check_loss(name: &str, o: &[f64], run: impl Fn(&mut [f64]) -> f64) {
    let mut gradient = o.to_vec();
    run(&mut gradient);
    let error = worst(o, &gradient, |o| run(&mut o.to_vec()));
    assert!(error <= 1e-6, "{name}: {error}");
}

#[test]
fn the_fused_output_layer_is_the_layer_and_the_loss() {
    // More rows than one chunk, so that the boundaries of chunks are covered.
    let (rows, hidden, classes) = (5000, 3, 7);
    let (h, v, c) =
        (numbers(rows * hidden, 1, 1.0), numbers(classes * hidden, 2, 1.0), numbers(classes, 3, 1.0));
    let ids: Vec<i64> = (0..rows as i64).map(|i| if i % 11 == 3 { -1 } else { i % classes as i64 }).collect();
    let weighting = Weighting { weights: None, reduction: Reduction::Mean };
    let targets = Targets { ids: &ids, ignore: Some(-1), smoothing: 0.1, weighting, mixture: None };
    let layer = Linear { v: &v, c: &c, inputs: hidden, outputs: classes };

    let mut o = linear::forward(layer, &h, rows).unwrap();
    let apart = loss::softmax_cross_entropy(&mut o, classes, targets).unwrap();
    let (mut dv, mut dc) = (vec![0.0; v.len()], vec![0.0; classes]);
    let dh = linear::backward(layer, (&h, rows), &o, (&mut dv, &mut dc), true).unwrap().unwrap();

    let (mut dh_fused, mut dv_fused, mut dc_fused) =
        (vec![0.0; h.len()], vec![0.0; v.len()], vec![0.0; classes]);
    let into = LinearGradients { h: &mut dh_fused, v: &mut dv_fused, c: &mut dc_fused };
    let fused = loss::linear_softmax_cross_entropy(layer, &h, targets, Some(into)).unwrap();
    assert_eq!((apart.total, apart.positions), (fused.total, fused.positions.clone()));
    assert!(dh == dh_fused && dc == dc_fused, "dh and dc differ in their bits");
    // The sums over all rows are split at different chunk boundaries.
    assert!(dv.iter().zip(&dv_fused).all(|(x, y)| (x - y).abs() < 1e-14), "{dv:?} {dv_fused:?}");
    let without = loss::linear_softmax_cross_entropy(layer, &h, targets, None).unwrap();
    assert_eq!(without.positions, fused.positions);
}

#[test]
fn losses_over_a_sample() {
    let (rows, hidden, classes) = (6, 3, 9);
    let ids = [1i64, -1, 4, 0, 2, 2];
    let w = [0.5, 1.0, 0.0, 2.0, 1.0, 0.3];
    let weighting = Weighting { weights: Some(&w), reduction: Reduction::Mean };
    let targets = Targets { ids: &ids, ignore: Some(-1), smoothing: 0.0, weighting, mixture: None };
    let log_expected = numbers(classes, 7, 1.0);
    let theta = numbers(rows * hidden + classes * hidden + classes, 4, 1.0);
    for (drawn, counts) in [(&[2i64, 5, 8][..], &[1i64, 3, 1][..]), (&[2], &[4])] {
        let sample = Sample { classes: drawn, counts, log_expected: &log_expected };
        for rule in [Rule::Softmax, Rule::Nce] {
            let run = |theta: &[f64], into: Option<LinearGradients<'_, f64>>| {
                let (h, rest) = theta.split_at(rows * hidden);
                let (v, c) = rest.split_at(classes * hidden);
                let layer = Linear { v, c, inputs: hidden, outputs: classes };
                loss::linear_sampled_loss(layer, h, targets, (rule, sample), into).unwrap().total
            };
            let mut gradient = vec![0.0; theta.len()];
            let (h, rest) = gradient.split_at_mut(rows * hidden);
            let (v, c) = rest.split_at_mut(classes * hidden);
            run(&theta, Some(LinearGradients { h, v, c }));
            let error = worst(&theta, &gradient, |theta| run(theta, None));
            assert!(error <= 1e-6, "{rule:?}: {error}");
        }
    }
}
