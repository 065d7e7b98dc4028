//! AVX-512F (with DQ for the bitwise operations on floats): 16 numbers in f32, 8 in f64.

use std::arch::x86_64::*;

use super::simd::Simd;
use super::{Isa, variant};

#[derive(Clone, Copy)]
pub(super) struct Lanes16(__m512);

impl Simd for Lanes16 {
    type Number = f32;
    const LANES: usize = 16;
    const ROWS: usize = 8;
    const VECTORS: usize = 3;

    // SAFETY, for every block below: the caller guarantees AVX-512F, DQ and valid pointers; masked-out lanes
    // are not accessed.
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_maskz_loadu_ps((1u16 << n) - 1, p) })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        // SAFETY: as above.
        unsafe { _mm512_mask_storeu_ps(p, (1u16 << n) - 1, self.0) }
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
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_add_epi32(low, _mm512_set1_epi32(8));
            let halves =
                (_mm512_permutex2var_ps(self.0, low, y.0), _mm512_permutex2var_ps(self.0, high, y.0));
            (Self(halves.0), Self(halves.1))
        }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_add_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_sub_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_mul_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_div_ps(self.0, y.0) })
    }
    // A division takes as long as ten multiplications. This estimate has 14 correct bits; the Newton step in
    // `reciprocal` doubles them.
    #[inline(always)]
    unsafe fn estimate(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_rcp14_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn reciprocal(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let r = _mm512_rcp14_ps(self.0);
            let error = _mm512_fnmadd_ps(self.0, r, _mm512_set1_ps(1.0));
            Self(_mm512_fmadd_ps(r, error, r))
        }
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_ps(self.0, y.0, z.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fnmadd_ps(x.0, y.0, self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_max_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_min_ps(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_abs_ps(self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let bit = _mm512_set1_ps(-0.0);
            Self(_mm512_or_ps(_mm512_andnot_ps(bit, self.0), _mm512_and_ps(bit, sign.0)))
        }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_scalef_ps(_mm512_set1_ps(1.0), self.0) })
    }
    // Adding 1.5 · 2^23 rounds a number and leaves n in the lowest bits of the sum. With the exponent bias
    // added as well, these bits are the exponent of 2^n.
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let shift = _mm512_set1_ps(12_582_912.0 + 127.0);
            let sum = _mm512_fmadd_ps(self.0, _mm512_set1_ps(factor as f32), shift);
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(sum));
            (Self(_mm512_sub_ps(sum, shift)), Self(_mm512_castsi512_ps(power)))
        }
    }
    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_scalef_ps(self.0, n.0) })
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let less = _mm512_cmp_ps_mask::<_CMP_LT_OQ>(self.0, y.0);
            Self(_mm512_mask_blend_ps(less, otherwise.0, then.0))
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_ps(self.0) }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_max_ps(self.0) }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Lanes8(__m512d);

impl Simd for Lanes8 {
    type Number = f64;
    const LANES: usize = 8;
    const ROWS: usize = 8;
    const VECTORS: usize = 3;

    // SAFETY, for every block below: as in the implementation for f32.
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_set1_pd(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_loadu_pd(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_pd(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f64, n: usize) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_maskz_loadu_pd((1u8 << n) - 1, p) })
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, n: usize) {
        // SAFETY: as above.
        unsafe { _mm512_mask_storeu_pd(p, (1u8 << n) - 1, self.0) }
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
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_add_epi64(low, _mm512_set1_epi64(4));
            let halves =
                (_mm512_permutex2var_pd(self.0, low, y.0), _mm512_permutex2var_pd(self.0, high, y.0));
            (Self(halves.0), Self(halves.1))
        }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_add_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_sub_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_mul_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_div_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fmadd_pd(self.0, y.0, z.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_fnmadd_pd(x.0, y.0, self.0) })
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_max_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_min_pd(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_abs_pd(self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let bit = _mm512_set1_pd(-0.0);
            Self(_mm512_or_pd(_mm512_andnot_pd(bit, self.0), _mm512_and_pd(bit, sign.0)))
        }
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_roundscale_pd::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_scalef_pd(_mm512_set1_pd(1.0), self.0) })
    }
    #[inline(always)]
    unsafe fn scale(self, n: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { _mm512_scalef_pd(self.0, n.0) })
    }
    #[inline(always)]
    unsafe fn powers(self, factor: f64) -> (Self, Self) {
        // SAFETY: as above.
        unsafe {
            let shift = _mm512_set1_pd(6_755_399_441_055_744.0 + 1023.0);
            let sum = _mm512_fmadd_pd(self.0, _mm512_set1_pd(factor), shift);
            let power = _mm512_slli_epi64::<52>(_mm512_castpd_si512(sum));
            (Self(_mm512_sub_pd(sum, shift)), Self(_mm512_castsi512_pd(power)))
        }
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            let less = _mm512_cmp_pd_mask::<_CMP_LT_OQ>(self.0, y.0);
            Self(_mm512_mask_blend_pd(less, otherwise.0, then.0))
        }
    }
    #[inline(always)]
    unsafe fn sum(self) -> f64 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_add_pd(self.0) }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f64 {
        // SAFETY: as above.
        unsafe { _mm512_reduce_max_pd(self.0) }
    }
}

variant!(F32, run_f32, Lanes16, f32, Isa::Avx512, "avx512f,avx512dq,avx2,fma");
variant!(F64, run_f64, Lanes8, f64, Isa::Avx512, "avx512f,avx512dq,avx2,fma");
