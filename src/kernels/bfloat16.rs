//! bfloat16, the upper half of a float32: 8 bits of precision, for messages that are to be short.
//!
//! The loops are plain, and as fast as memory with the instructions that every processor has.

/// Rounds each number to the nearest bfloat16, a tie to the even one. NaN stays NaN, and large numbers become
/// infinite.
///
/// # Panics
/// If the slices have different lengths.
pub fn to_bfloat16(x: &[f32], rounded: &mut [u16]) {
    assert_eq!(x.len(), rounded.len());
    for (x, rounded) in x.iter().zip(rounded) {
        let bits = x.to_bits();
        // A carry out of the mantissa is the next exponent, as it should be.
        let nearest = bits.wrapping_add(0x7FFF + ((bits >> 16) & 1));
        let is_nan = (bits & 0x7FFF_FFFF) > 0x7F80_0000;
        let kept = if is_nan { bits | 0x0040_0000 } else { nearest };
        *rounded = (kept >> 16) as u16;
    }
}

/// Returns bfloat16 numbers as float32, exactly.
///
/// # Panics
/// If the slices have different lengths.
pub fn from_bfloat16(rounded: &[u16], x: &mut [f32]) {
    assert_eq!(x.len(), rounded.len());
    for (x, &rounded) in x.iter_mut().zip(rounded) {
        *x = f32::from_bits(u32::from(rounded) << 16);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every bfloat16, the numbers around the middle between it and the next one, and what is next to zero.
    #[test]
    fn numbers_become_the_nearest_bfloat16_and_ties_the_even_one() {
        // Miri takes a microsecond for what takes a nanosecond.
        for upper in (0..=u16::MAX).step_by(if cfg!(miri) { 97 } else { 1 }) {
            let here = u32::from(upper) << 16;
            let numbers = [here, here + 1, here + 0x7FFF, here + 0x8000, here + 0x8001, here + 0xFFFF];
            let x = numbers.map(f32::from_bits);
            let (mut rounded, mut back) = ([0; 6], [0.0; 6]);
            to_bfloat16(&x, &mut rounded);
            from_bfloat16(&rounded, &mut back);
            if x[0].is_nan() || f32::from_bits(here + 0xFFFF).is_nan() {
                assert!(back[1..].iter().all(|b| b.is_nan()), "{here:08x}");
                assert_eq!(back[0].is_nan(), x[0].is_nan(), "{here:08x}");
                continue;
            }
            let (even, next) = (upper & 1 == 0, upper + 1);
            let middle = if even { upper } else { next };
            assert_eq!(rounded, [upper, upper, upper, middle, next, next], "{here:08x}");
            assert_eq!(back[0].to_bits(), here);
        }
    }
}
