//! Random masks from a counter-based generator: a number is a function of its place, not of previously
//! generated numbers. Therefore masks depend neither on threads nor on the position of a sequence in the
//! batch.
//!
//! The generator is Philox with four words of 32 bits and seven rounds (Salmon, Moraes, Dror and Shaw 2011).
//! The compiler vectorizes its few integer operations for each instruction set.

use super::Real;
use super::cell::Task;
use super::simd::Simd;

/// Counters processed together.
const WIDE: usize = 16;

/// Random words that they produce.
const NUMBERS: usize = 4 * WIDE;

const ROUNDS: usize = 7;
const MULTIPLIERS: [u64; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Mask of the lower 32 bits.
const LOWER: u64 = 0xFFFF_FFFF;

const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// The place that identifies a row of random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Identifies the layer and the training step.
    pub seed: u64,
    /// Identifies the sequence.
    pub key: u64,
    /// The time step of the sequence.
    pub step: u32,
}

/// Returns the words of counters `first..first + WIDE` at a place: the first word of every counter, then the
/// second word of every counter, and so on.
///
/// Until the end, each word is the lower half of a 64-bit number, which holds the product of two words. The
/// upper half is ignored.
#[expect(clippy::needless_range_loop, reason = "loops over whole vectors, which the compiler vectorizes")]
#[inline(always)]
fn words(place: Place, first: u32) -> [u32; NUMBERS] {
    let mut x = [[0; WIDE]; 4];
    for i in 0..WIDE {
        x[0][i] = u64::from(first.wrapping_add(i as u32));
        x[1][i] = u64::from(place.step);
        x[2][i] = place.key & LOWER;
        x[3][i] = place.key >> 32;
    }
    let mut key = [place.seed as u32, (place.seed >> 32) as u32];
    for _ in 0..ROUNDS {
        for i in 0..WIDE {
            let (p, q) = (MULTIPLIERS[0] * (x[0][i] & LOWER), MULTIPLIERS[1] * (x[2][i] & LOWER));
            x[0][i] = (q >> 32) ^ x[1][i] ^ u64::from(key[0]);
            x[1][i] = q;
            x[2][i] = (p >> 32) ^ x[3][i] ^ u64::from(key[1]);
            x[3][i] = p;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let mut words = [0; NUMBERS];
    for (words, x) in words.chunks_exact_mut(WIDE).zip(&x) {
        for i in 0..WIDE {
            words[i] = x[i] as u32;
        }
    }
    words
}

struct Bernoulli<'a, R> {
    place: Place,
    threshold: u32,
    kept: R,
    out: &'a mut [R],
}

impl<R: Real> Task<R> for Bernoulli<'_, R> {
    #[inline(always)]
    unsafe fn run<S: Simd<Number = R>>(self) {
        for (block, out) in self.out.chunks_mut(NUMBERS).enumerate() {
            let words = words(self.place, (block * WIDE) as u32);
            // A single loop over all words: the compiler does not vectorize shorter ones.
            for (out, &word) in out.iter_mut().zip(&words) {
                *out = if word >= self.threshold { self.kept } else { R::zero() };
            }
        }
    }
}

/// Sets each number to 0 with probability `rate` (rounded to 32 bits), otherwise to `kept`.
pub fn bernoulli<R: Real>(place: Place, rate: f64, kept: R, out: &mut [R]) {
    let threshold = (rate * 2f64.powi(32)).round().min(f64::from(u32::MAX)) as u32;
    let isa = R::kernels().isa;
    // SAFETY: the processor has the kernels' instruction set; the task has no other requirement.
    unsafe { R::run(isa, Bernoulli { place, threshold, kept, out }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The generator as in the paper, one counter at a time.
    fn philox(mut x: [u32; 4], mut key: [u32; 2], rounds: usize) -> [u32; 4] {
        for _ in 0..rounds {
            let p = 0xD251_1F53u64 * u64::from(x[0]);
            let q = 0xCD9E_8D57u64 * u64::from(x[2]);
            x = [(q >> 32) as u32 ^ x[1] ^ key[0], q as u32, (p >> 32) as u32 ^ x[3] ^ key[1], p as u32];
            key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
        }
        x
    }

    #[test]
    fn the_generator_is_philox() {
        // A known answer of the reference implementation: 10 rounds of counter 0 with key 0.
        assert_eq!(philox([0; 4], [0; 2], 10), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        let place = Place { seed: 0x0123_4567_89ab_cdef, key: 0xfeed_beef_0000_0007, step: 3 };
        let words = words(place, 32);
        for i in 0..WIDE as u32 {
            let expected = philox([32 + i, 3, 7, 0xfeed_beef], [0x89ab_cdef, 0x0123_4567], ROUNDS);
            assert_eq!([0, 1, 2, 3].map(|w| words[w * WIDE + i as usize]), expected);
        }
    }

    #[test]
    fn masks_keep_as_many_as_they_should_and_are_independent() {
        let place = Place { seed: 1, key: 2, step: 3 };
        // Miri generates about ten numbers per millisecond.
        let mut a = vec![0f32; if cfg!(miri) { 2_003 } else { 1_000_003 }];
        bernoulli(place, 0.25, 2.0, &mut a);
        let share = a.iter().filter(|&&x| x == 0.0).count() as f64 / a.len() as f64;
        // Five standard deviations.
        assert!((share - 0.25).abs() < 5.0 * (0.25f64 * 0.75 / a.len() as f64).sqrt(), "{share}");
        assert!(a.iter().all(|&x| x == 0.0 || x == 2.0));
        for other in [Place { seed: 2, ..place }, Place { key: 3, ..place }, Place { step: 4, ..place }] {
            let mut b = vec![0f32; a.len()];
            bernoulli(other, 0.25, 2.0, &mut b);
            let both =
                a.iter().zip(&b).filter(|&(&x, &y)| x == 0.0 && y == 0.0).count() as f64 / a.len() as f64;
            assert!((both - 0.0625).abs() < 5.0 * (0.0625f64 / a.len() as f64).sqrt(), "{other:?}: {both}");
        }
        // A shorter row is a prefix of a longer one.
        let mut short = vec![0f32; 77];
        bernoulli(place, 0.25, 2.0, &mut short);
        assert_eq!(short, a[..77]);
        bernoulli(place, 0.0, 1.0, &mut short);
        assert!(short.iter().all(|&x| x == 1.0));
    }
}
