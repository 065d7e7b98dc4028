//! Convolution and two-dimensional pooling: comparison with plain loops and with finite differences in f64,
//! and identical bits for any number of threads and in any batch.

use rnnrs::kernels::{Activation, Real};
use rnnrs::layers::conv::{self, Pair, Passed, Pictures, Shape};
use rnnrs::layers::pooling_2d::{self, Frame, Pool};
use rnnrs::{Error, parallel};

/// Returns a fixed pseudo-random sequence in −1..1.
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

/// (kernel, stride, padding, picture), including unusual ones.
const SHAPES: [(Pair, Pair, Pair, Pair); 10] = [
    ((3, 3), (1, 1), (1, 1), (6, 5)),
    ((1, 1), (1, 1), (0, 0), (3, 4)),
    ((3, 3), (1, 1), (1, 1), (1, 1)),
    ((5, 4), (1, 1), (3, 2), (2, 3)),
    ((2, 3), (3, 5), (0, 1), (8, 9)),
    ((3, 2), (2, 1), (1, 0), (7, 6)),
    ((2, 2), (2, 2), (0, 0), (5, 6)),
    ((1, 2), (1, 3), (2, 3), (3, 4)),
    ((4, 4), (3, 2), (3, 3), (4, 9)),
    ((3, 3), (9, 9), (0, 0), (5, 5)),
];

fn shape((kernel, stride, padding, _): (Pair, Pair, Pair, Pair), inputs: usize, outputs: usize) -> Shape {
    Shape { kernel, stride, padding, inputs, outputs }
}

/// Computes y by the definition, value by value.
fn defined(shape: Shape, pictures: Pictures, x: &[f64], k: &[f64], b: &[f64]) -> Vec<f64> {
    let Shape { kernel, stride, padding, inputs, outputs } = shape;
    let ((height, width), mut y) = (pictures.size, Vec::new());
    let (_, size) = shape.fit("test", pictures.size).unwrap();
    for picture in 0..pictures.batch {
        for (i, j) in (0..size.0).flat_map(|i| (0..size.1).map(move |j| (i, j))) {
            for o in 0..outputs {
                let mut sum = b[o];
                for (u, v) in (0..kernel.0).flat_map(|u| (0..kernel.1).map(move |v| (u, v))) {
                    let (row, column) = (i * stride.0 + u, j * stride.1 + v);
                    let inside = row >= padding.0 && column >= padding.1;
                    if !inside || row - padding.0 >= height || column - padding.1 >= width {
                        continue;
                    }
                    let pixel = (picture * height + row - padding.0) * width + column - padding.1;
                    for c in 0..inputs {
                        sum += x[pixel * inputs + c] * k[((u * kernel.1 + v) * inputs + c) * outputs + o];
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

fn close(got: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (i, (g, e)) in got.iter().zip(expected).enumerate() {
        assert!((g - e).abs() <= tolerance * e.abs().max(1.0), "{what}: at {i}: expected {e}, got {g}");
    }
}

#[test]
fn convolution_is_what_its_definition_says() {
    for case in SHAPES {
        for (inputs, outputs) in [(1, 1), (3, 17), (5, 49)] {
            let (shape, pictures) = (shape(case, inputs, outputs), Pictures { batch: 2, size: case.3 });
            let x = numbers(2 * case.3.0 * case.3.1 * inputs, 1);
            let k = numbers(case.0.0 * case.0.1 * inputs * outputs, 2);
            let b = numbers(outputs, 3);
            let y = conv::forward(shape, pictures, &x, (&k, &b), Activation::Identity).unwrap();
            close(&y, &defined(shape, pictures, &x, &k, &b), 1e-13, &format!("{case:?}"));
        }
    }
}

/// Returns (f(θ + ε) − f(θ − ε)) / 2ε for every element of θ, extrapolated from ε and 2ε.
fn differences(theta: &[f64], f: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let slope = |i: usize, e: f64| {
        let mut moved = theta.to_vec();
        moved[i] += e;
        let up = f(&moved);
        moved[i] = theta[i] - e;
        (up - f(&moved)) / (2.0 * e)
    };
    (0..theta.len()).map(|i| (4.0 * slope(i, 1e-4) - slope(i, 2e-4)) / 3.0).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[test]
fn gradients_of_a_convolution() {
    for case in SHAPES {
        for activation in [Activation::Identity, Activation::Tanh] {
            let (inputs, outputs) = (2, 3);
            let (shape, pictures) = (shape(case, inputs, outputs), Pictures { batch: 2, size: case.3 });
            let lengths = [2 * case.3.0 * case.3.1 * inputs, case.0.0 * case.0.1 * inputs * outputs, outputs];
            let theta: Vec<f64> = numbers(lengths.iter().sum(), 7);
            let y = |theta: &[f64]| {
                let (x, rest) = theta.split_at(lengths[0]);
                conv::forward(shape, pictures, x, rest.split_at(lengths[1]), activation).unwrap()
            };
            let dy = numbers(y(&theta).len(), 8);
            let (x, rest) = theta.split_at(lengths[0]);
            let k = &rest[..lengths[1]];
            let (mut dk, mut db) = (vec![0.5; lengths[1]], vec![0.25; lengths[2]]);
            let passed = Passed { x, y: &y(&theta), activation };
            let dx =
                conv::backward(shape, pictures, passed, k, &dy, (&mut dk, &mut db), true).unwrap().unwrap();
            // Gradients are added to what was there before.
            dk.iter_mut().for_each(|d| *d -= 0.5);
            db.iter_mut().for_each(|d| *d -= 0.25);
            let numeric = differences(&theta, |theta| dot(&y(theta), &dy));
            close(&[dx, dk, db].concat(), &numeric, 1e-8, &format!("{case:?} {activation:?}"));
        }
    }
}

/// Returns y, dx, dK and db of a layer on float32 pictures.
fn step(shape: Shape, pictures: Pictures, x: &[f32], dy: &[f32]) -> [Vec<f32>; 4] {
    let k = numbers(shape.kernel.0 * shape.kernel.1 * shape.inputs * shape.outputs, 2);
    let b = numbers(shape.outputs, 3);
    let y = conv::forward(shape, pictures, x, (&k, &b), Activation::Relu).unwrap();
    let (mut dk, mut db) = (vec![0.0; k.len()], vec![0.0; b.len()]);
    let passed = Passed { x, y: &y, activation: Activation::Relu };
    let into = (&mut dk[..], &mut db[..]);
    let dx = conv::backward(shape, pictures, passed, &k, dy, into, true).unwrap().unwrap();
    [y, dx, dk, db]
}

#[test]
fn bits_do_not_depend_on_threads_or_batch_mates() {
    for (batch, inputs, outputs, case) in [
        (9, 3, 16, ((3, 3), (1, 1), (1, 1), (32, 32))),
        (33, 16, 40, ((3, 3), (2, 2), (1, 1), (15, 17))),
        (1, 20, 70, ((5, 3), (1, 2), (2, 0), (40, 64))),
        (4, 130, 130, ((3, 3), (1, 1), (1, 1), (8, 8))),
    ] {
        let (shape, pictures) = (shape(case, inputs, outputs), Pictures { batch, size: case.3 });
        let (_, size) = shape.fit("test", case.3).unwrap();
        let x = numbers(batch * case.3.0 * case.3.1 * inputs, 4);
        let dy = numbers(batch * size.0 * size.1 * outputs, 5);
        let results = [1, 2, 3, 5, 16].map(|threads| {
            parallel::set_num_threads(threads).unwrap();
            step(shape, pictures, &x, &dy)
        });
        for other in &results[1..] {
            assert!(*other == results[0], "{case:?}: the bits depend on the number of threads");
        }
        let last = Pictures { batch: 1, size: case.3 };
        let (alone_x, alone_dy) = (&x[x.len() - x.len() / batch..], &dy[dy.len() - dy.len() / batch..]);
        let [y, dx, ..] = step(shape, last, alone_x, alone_dy);
        let [all_y, all_dx, ..] = &results[0];
        assert!(y == all_y[all_y.len() - y.len()..], "{case:?}: y depends on the batch");
        assert!(dx == all_dx[all_dx.len() - dx.len()..], "{case:?}: dx depends on the batch");
    }
}

#[test]
fn gradients_of_poolings() {
    for (kernel, stride, padding, size) in SHAPES {
        let frame =
            Frame { kernel, stride, padding: (padding.0.min(kernel.0 / 2), padding.1.min(kernel.1 / 2)) };
        let Ok((height, width)) = frame.output("test", size) else { continue };
        let (pictures, channels) = (Pictures { batch: 2, size }, 3);
        let x: Vec<f64> = numbers(2 * size.0 * size.1 * channels, 1);
        let dy = numbers(2 * height * width * channels, 2);
        for pool in [Pool::Max, Pool::Mean] {
            let y = |x: &[f64]| pooling_2d::forward("test", pool, frame, pictures, x, channels).unwrap();
            let of_x = y(&x);
            let passed = (pool == Pool::Max).then_some(pooling_2d::Passed { x: &x, y: &of_x });
            let dx = pooling_2d::backward("test", frame, pictures, passed, &dy, channels).unwrap();
            let numeric = differences(&x, |x| dot(&y(x), &dy));
            close(&dx, &numeric, 1e-8, &format!("{pool:?} {frame:?} {size:?}"));
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let wrong = shape(((5, 5), (1, 1), (1, 1), (0, 0)), 1, 1);
    let pictures = Pictures { batch: 1, size: (2, 9) };
    let result = conv::forward(wrong, pictures, &[0.0f32; 18], (&[0.0; 25], &[0.0]), Activation::Identity);
    let message = result.unwrap_err().to_string();
    assert!(message.contains("Conv2d.forward: x: expected pictures (Y, X) of at least (3, 3)"), "{message}");
    let frame = Frame { kernel: (2, 2), stride: (1, 1), padding: (0, 2) };
    let result = pooling_2d::forward("test", Pool::Mean, frame, pictures, &[0.0f32; 18], 1);
    assert!(matches!(result, Err(Error::Value { argument: "padding", .. })));
}
