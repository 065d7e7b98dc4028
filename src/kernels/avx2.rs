//! AVX2 with FMA: 8 numbers in f32, 4 in f64.

use std::arch::x86_64::*;

use super::simd::Simd;
use super::{Isa, variant};

/// Lane numbers; comparing them with n gives the mask of the first n lanes.
const LANE: [i32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];
const LANE_WIDE: [i64; 4] = [0, 1, 2, 3];

#[derive(Clone, Copy)]
pub(super) struct Lanes8(__m256);

impl Lanes8 {
    #[inline(always)]
    unsafe fn first(n: usize) -> __m256i {
        // SAFETY: the caller guarantees AVX2; LANE has the length of the vector.
        unsafe {
            let lanes = _mm256_loadu_si256(LANE.as_ptr().cast());
            _mm256_cmpgt_epi32(_mm256_set1_epi32(n as i32), lanes)
        }
    }
}

impl Simd for Lanes8 {
    type Number = f32;
    const LANES: usize = 8;
    const ROWS: usize = 6;
    const VECTORS: usize = 2;

    // SAFETY, for every block below: the caller guarantees AVX2, FMA and valid pointers; masked-out lanes are
    // not accessed.
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_maskload_ps(p, Self::first(n)) })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        // SAFETY: as above.
        unsafe { _mm256_maskstore_ps(p, Self::first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const f32) {
        // SAFETY: a prefetch accepts any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_far(p: *const f32) {
        // SAFETY: a prefetch accepts any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn interleave(self, y: Self) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (_mm256_unpacklo_ps(self.0, y.0), _mm256_unpackhi_ps(self.0, y.0));
            let halves =
                (_mm256_permute2f128_ps::<0x20>(even, odd), _mm256_permute2f128_ps::<0x31>(even, odd));
            (Self(halves.0), Self(halves.1))
        }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_add_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_sub_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_mul_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_div_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fmadd_ps(self.0, y.0, z.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fnmadd_ps(x.0, y.0, self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_max_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_min_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let bit = _mm256_set1_ps(-0.0);
            Self(_mm256_or_ps(_mm256_andnot_ps(bit, self.0), _mm256_and_ps(bit, sign.0)))
        }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let exponent = _mm256_add_epi32(_mm256_cvtps_epi32(self.0), _mm256_set1_epi32(127));
            Self(_mm256_castsi256_ps(_mm256_slli_epi32::<23>(exponent)))
        }
    }
    // See `avx512.rs`.
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let shift = _mm256_set1_ps(12_582_912.0 + 127.0);
            let sum = _mm256_fmadd_ps(self.0, _mm256_set1_ps(factor as f32), shift);
            let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(sum));
            (Self(_mm256_sub_ps(sum, shift)), Self(_mm256_castsi256_ps(power)))
        }
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let less = _mm256_cmp_ps::<_CMP_LT_OQ>(self.0, y.0);
            Self(_mm256_blendv_ps(otherwise.0, then.0, less))
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        let mut lanes = [0.0; 8];
        // SAFETY: as above; the array has 8 numbers.
        unsafe { self.store(lanes.as_mut_ptr()) };
        let pairs: [f32; 4] = std::array::from_fn(|i| lanes[i] + lanes[i + 4]);
        (pairs[0] + pairs[2]) + (pairs[1] + pairs[3])
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        let mut lanes = [0.0; 8];
        // SAFETY: as above; the array has 8 numbers.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.into_iter().fold(f32::NEG_INFINITY, f32::max)
    }
}

#[derive(Clone, Copy)]
pub(super) struct Lanes4(__m256d);

impl Lanes4 {
    #[inline(always)]
    unsafe fn first(n: usize) -> __m256i {
        // SAFETY: the caller guarantees AVX2; LANE_WIDE has the length of the vector.
        unsafe {
            let lanes = _mm256_loadu_si256(LANE_WIDE.as_ptr().cast());
            _mm256_cmpgt_epi64(_mm256_set1_epi64x(n as i64), lanes)
        }
    }
}

impl Simd for Lanes4 {
    type Number = f64;
    const LANES: usize = 4;
    const ROWS: usize = 6;
    const VECTORS: usize = 2;

    // SAFETY, for every block below: the caller guarantees AVX2, FMA and valid pointers; masked-out lanes are
    // not accessed.
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_set1_pd(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_loadu_pd(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: as above.
        unsafe { _mm256_storeu_pd(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f64, n: usize) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_maskload_pd(p, Self::first(n)) })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, n: usize) {
        // SAFETY: as above.
        unsafe { _mm256_maskstore_pd(p, Self::first(n), self.0) }
    }
    #[inline(always)]
    unsafe fn prefetch(p: *const f64) {
        // SAFETY: a prefetch accepts any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn prefetch_far(p: *const f64) {
        // SAFETY: a prefetch accepts any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(p.cast()) }
    }
    #[inline(always)]
    unsafe fn interleave(self, y: Self) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let (even, odd) = (_mm256_unpacklo_pd(self.0, y.0), _mm256_unpackhi_pd(self.0, y.0));
            let halves =
                (_mm256_permute2f128_pd::<0x20>(even, odd), _mm256_permute2f128_pd::<0x31>(even, odd));
            (Self(halves.0), Self(halves.1))
        }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_add_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_sub_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_mul_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_div_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fmadd_pd(self.0, y.0, z.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_fnmadd_pd(x.0, y.0, self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_max_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_min_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let bit = _mm256_set1_pd(-0.0);
            Self(_mm256_or_pd(_mm256_andnot_pd(bit, self.0), _mm256_and_pd(bit, sign.0)))
        }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm256_round_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe {
            // The integers are below 2^31: AVX2 converts f64 only to 32-bit integers.
            let narrow = _mm256_cvtpd_epi32(self.0);
            let exponent = _mm256_add_epi64(_mm256_cvtepi32_epi64(narrow), _mm256_set1_epi64x(1023));
            Self(_mm256_castsi256_pd(_mm256_slli_epi64::<52>(exponent)))
        }
    }
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let shift = _mm256_set1_pd(6_755_399_441_055_744.0 + 1023.0);
            let sum = _mm256_fmadd_pd(self.0, _mm256_set1_pd(factor), shift);
            let power = _mm256_slli_epi64::<52>(_mm256_castpd_si256(sum));
            (Self(_mm256_sub_pd(sum, shift)), Self(_mm256_castsi256_pd(power)))
        }
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let less = _mm256_cmp_pd::<_CMP_LT_OQ>(self.0, y.0);
            Self(_mm256_blendv_pd(otherwise.0, then.0, less))
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f64 {
        let mut lanes = [0.0; 4];
        // SAFETY: as above; the array has 4 numbers.
        unsafe { self.store(lanes.as_mut_ptr()) };
        (lanes[0] + lanes[2]) + (lanes[1] + lanes[3])
    }
    #[inline(always)]
    unsafe fn largest(self) -> f64 {
        let mut lanes = [0.0; 4];
        // SAFETY: as above; the array has 4 numbers.
        unsafe { self.store(lanes.as_mut_ptr()) };
        lanes.into_iter().fold(f64::NEG_INFINITY, f64::max)
    }
}

variant!(F32, run_f32, Lanes8, f32, Isa::Avx2, "avx2,fma");
variant!(F64, run_f64, Lanes4, f64, Isa::Avx2, "avx2,fma");
