//! The output-to-hidden network through the crate's public functions: finite differences in f64, and
//! identical bits for any number of threads.

use rnnrs::init::{Scheme, initialize};
use rnnrs::kernels::{Activation, Real};
use rnnrs::layers::jordan::back::{self, Passed};
use rnnrs::layers::jordan::driven::{self, Network, Own, Schedule, Teacher};
use rnnrs::layers::jordan::{Fed, Later, Sizes, WeightGradients, Weights, forced, table};
use rnnrs::parallel;

const TANH: Activation = Activation::Tanh;

fn numbers<R: Real>(n: usize, seed: u64, scale: f64) -> Vec<R> {
    let mut out = vec![R::zero(); n];
    initialize(&mut out, n.max(1), Scheme::Uniform, scale, seed).unwrap();
    out
}

/// The kind of feedback.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    /// Targets, as values
    Values,
    /// Targets, as tokens with an embedding
    Tokens,
    /// Mostly the network's own output
    Driven(Own),
}

const MODES: [Mode; 4] = [Mode::Values, Mode::Tokens, Mode::Driven(Own::Output), Mode::Driven(Own::Softmax)];

struct Problem<R> {
    mode: Mode,
    sizes: Sizes,
    r: Vec<R>,
    ids: Vec<i64>,
    values: Vec<R>,
    keys: Vec<u64>,
}

/// Returns the lengths of x, first, U, W, b, V, c and E.
fn lengths(s: Sizes) -> [usize; 8] {
    let Sizes { steps, batch, inputs, hidden, outputs, fed } = s;
    [
        steps * batch * inputs,
        batch * fed,
        hidden * inputs,
        hidden * fed,
        hidden,
        outputs * hidden,
        outputs,
        outputs * fed,
    ]
}

fn parts<R>(theta: &[R], s: Sizes) -> [&[R]; 8] {
    let mut rest = theta;
    lengths(s).map(|n| rest.split_off(..n).unwrap())
}

impl<R: Real> Problem<R> {
    fn new(mode: Mode, mut sizes: Sizes) -> Self {
        if mode != Mode::Tokens {
            sizes.fed = sizes.outputs;
        }
        let Sizes { steps, batch, outputs, .. } = sizes;
        // Every fifth position feeds nothing.
        let id = |i: usize| if i % 5 == 4 { -1 } else { (i * 7 % outputs) as i64 };
        Problem {
            mode,
            sizes,
            r: numbers(steps * batch * outputs, 11, 1.0),
            ids: (0..steps * batch).map(id).collect(),
            values: numbers(steps * batch * outputs, 12, 1.0),
            keys: (0..batch as u64).map(|i| 3 * i).collect(),
        }
    }

    /// Returns o and the gradient of Σ r ⊙ o.
    fn run(&self, theta: &[R]) -> (Vec<R>, Vec<R>) {
        let [x, first, u, w, b, v, c, e] = parts(theta, self.sizes);
        let (sizes, weights) = (self.sizes, Weights { u, w, b, v, c });
        let first = Some(first);
        match self.mode {
            Mode::Values => {
                let fed = Fed { first, later: Later::Values(&self.values) };
                let (h, o) = forced::forward(TANH, sizes, weights, x, fed, None).unwrap();
                let da = forced::backward(TANH, sizes, v, &h, &self.r).unwrap();
                let gradient = self.gradients(weights, (x, &h, &da, &self.r), fed, None);
                (o, gradient)
            }
            Mode::Tokens => {
                let Sizes { hidden, outputs, fed: width, .. } = sizes;
                let rows = table::table("test", w, (outputs, hidden, width), Some(e)).unwrap();
                let fed = Fed { first, later: Later::Tokens { ids: &self.ids, table: &rows } };
                let (h, o) = forced::forward(TANH, sizes, weights, x, fed, None).unwrap();
                let da = forced::backward(TANH, sizes, v, &h, &self.r).unwrap();
                let gradient = self.gradients(weights, (x, &h, &da, &self.r), fed, Some(e));
                (o, gradient)
            }
            Mode::Driven(own) => {
                let network = Network { activation: TANH, sizes, weights, x, lengths: None };
                let schedule = Schedule { forcing: 0.3, seed: 1, step: 2, keys: &self.keys };
                let teacher = (Teacher::Ids(&self.ids), schedule);
                let run = driven::with_numbers(network, own, first, teacher).unwrap();
                let both = run.own.contains(&true) && run.own[sizes.batch..].contains(&false);
                assert!(both || run.own.len() < 10, "expected both targets and outputs to be fed");
                let passed = (&run.h[..], &run.z[..], &run.own[..]);
                let (da, total) = back::through((TANH, own), sizes, (w, v), passed, &self.r).unwrap();
                let later = Later::Values(&run.z[sizes.batch * sizes.fed..]);
                let gradient = self.gradients(weights, (x, &run.h, &da, &total), Fed { first, later }, None);
                (run.o, gradient)
            }
        }
    }

    fn gradients(
        &self,
        weights: Weights<'_, R>,
        (x, h, da, dout): (&[R], &[R], &[R], &[R]),
        fed: Fed<'_, R>,
        embedding: Option<&[R]>,
    ) -> Vec<R> {
        let [_, _, mut u, mut w, mut b, mut v, mut c, mut e] =
            lengths(self.sizes).map(|n| vec![R::zero(); n]);
        let into = WeightGradients { u: &mut u, w: &mut w, b: &mut b, v: &mut v, c: &mut c };
        let passed = Passed { x, h, da, dout, fed };
        let embedding = embedding.map(|table| (table, &mut e[..]));
        let dx = back::gradients(self.sizes, weights, passed, into, embedding, true).unwrap().unwrap();
        let dfirst = back::first_gradient(self.sizes, weights.w, da).unwrap();
        [dx, dfirst, u, w, b, v, c, e].concat()
    }
}

#[test]
fn every_mode_by_finite_differences() {
    let sizes = Sizes { steps: 5, batch: 3, inputs: 2, hidden: 4, outputs: 5, fed: 3 };
    for mode in MODES {
        let problem = Problem::<f64>::new(mode, sizes);
        let theta = numbers::<f64>(lengths(problem.sizes).iter().sum(), 7, 0.8);
        let loss =
            |theta: &[f64]| -> f64 { problem.run(theta).0.iter().zip(&problem.r).map(|(o, r)| o * r).sum() };
        let slope = |i: usize, e: f64| {
            let mut moved = theta.clone();
            moved[i] += e;
            let up = loss(&moved);
            moved[i] = theta[i] - e;
            (up - loss(&moved)) / (2.0 * e)
        };
        let gradient = problem.run(&theta).1;
        let numeric: Vec<f64> =
            (0..theta.len()).map(|i| (4.0 * slope(i, 1e-4) - slope(i, 2e-4)) / 3.0).collect();
        let largest = numeric.iter().fold(0.0f64, |m, x| m.max(x.abs()));
        assert!(largest > 0.1, "{mode:?}: the gradient is too small to compare");
        for (i, (g, n)) in gradient.iter().zip(&numeric).enumerate() {
            let error = (g - n).abs() / g.abs().max(n.abs()).max(1e-3 * largest);
            assert!(error <= 1e-6, "{mode:?}, element {i}: {g} and {n}");
        }
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for mode in MODES {
        for (steps, batch, inputs, hidden, outputs) in [(40, 33, 17, 100, 65), (3, 1, 2, 4, 5)] {
            let sizes = Sizes { steps, batch, inputs, hidden, outputs, fed: 9 };
            let problem = Problem::<f32>::new(mode, sizes);
            let theta = numbers::<f32>(lengths(problem.sizes).iter().sum(), 7, 0.3);
            let mut results = Vec::new();
            for threads in [1, 2, 3, 4] {
                parallel::set_num_threads(threads).unwrap();
                results.push(problem.run(&theta));
            }
            for (threads, other) in results.iter().enumerate().skip(1) {
                assert!(*other == results[0], "{mode:?}: {} threads differ from one", threads + 1);
            }
        }
    }
}
