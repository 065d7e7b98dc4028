//! Counter-based random numbers: each is a function of (key, counter), without a state.
//!
//! A draw depends only on its purpose — seed, training step, sequence, time — and not on threads or on
//! earlier draws. Philox 4×64 with 10 rounds (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers:
//! as easy as 1, 2, 3").

const MULTIPLIERS: [u64; 2] = [0xD2E7_470E_E14C_6C93, 0xCA5A_8263_9512_1157];
const WEYL: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0xBB67_AE85_84CA_A73B];

/// Returns four words of 64 random bits for a counter, under a key.
pub fn philox(mut key: [u64; 2], mut counter: [u64; 4]) -> [u64; 4] {
    for _ in 0..10 {
        let product = |i: usize, x: u64| u128::from(MULTIPLIERS[i]) * u128::from(x);
        let (first, second) = (product(0, counter[0]), product(1, counter[2]));
        let (high_0, low_0) = ((first >> 64) as u64, first as u64);
        let (high_1, low_1) = ((second >> 64) as u64, second as u64);
        counter = [high_1 ^ counter[1] ^ key[0], low_1, high_0 ^ counter[3] ^ key[1], low_0];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Converts 64 random bits to a uniform number in [0, 1), a multiple of 2⁻⁵³.
pub fn uniform(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_answers() {
        // From `kat_vectors` of Random123, the authors' library.
        let zero =
            [0x1655_4d9e_ca36_314c, 0xdb20_fe9d_672d_0fdc, 0xd7e7_72ce_e186_176b, 0x7e68_b68a_ec7b_a23b];
        assert_eq!(philox([0; 2], [0; 4]), zero);
        let ones =
            [0x87b0_92c3_013f_e90b, 0x438c_3c67_be8d_0224, 0x9cc7_d7c6_9cd7_77b6, 0xa09c_aebf_594f_0ba0];
        assert_eq!(philox([u64::MAX; 2], [u64::MAX; 4]), ones);
    }

    #[test]
    fn uniform_stays_below_one() {
        assert_eq!(uniform(0), 0.0);
        assert!(uniform(u64::MAX) < 1.0);
        let mean = (0..4000).map(|i| uniform(philox([3, 0], [i, 0, 0, 0])[0])).sum::<f64>() / 4000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
