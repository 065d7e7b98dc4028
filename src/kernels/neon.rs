//! NEON: 4 numbers in f32, 2 in f64. Every aarch64 target of Rust with an operating system has it.

use std::arch::aarch64::*;

use super::simd::Simd;
use super::{Isa, variant};

#[derive(Clone, Copy)]
pub(super) struct Lanes4(float32x4_t);

impl Simd for Lanes4 {
    type Number = f32;
    const LANES: usize = 4;
    const ROWS: usize = 8;
    const VECTORS: usize = 3;

    // SAFETY, for every block below: every aarch64 processor with an operating system has NEON. The caller
    // guarantees valid pointers; lanes from n on are not accessed.
    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { vdupq_n_f32(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: as above.
        Self(unsafe { vld1q_f32(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as above.
        unsafe { vst1q_f32(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f32, n: usize) -> Self {
        // SAFETY: as above.
        unsafe {
            let mut lanes = vdupq_n_f32(0.0);
            if n > 0 {
                lanes = vld1q_lane_f32::<0>(p, lanes);
            }
            if n > 1 {
                lanes = vld1q_lane_f32::<1>(p.add(1), lanes);
            }
            if n > 2 {
                lanes = vld1q_lane_f32::<2>(p.add(2), lanes);
            }
            Self(lanes)
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f32, n: usize) {
        // SAFETY: as above.
        unsafe {
            if n > 0 {
                vst1q_lane_f32::<0>(p, self.0);
            }
            if n > 1 {
                vst1q_lane_f32::<1>(p.add(1), self.0);
            }
            if n > 2 {
                vst1q_lane_f32::<2>(p.add(2), self.0);
            }
        }
    }
    #[inline(always)]
    unsafe fn interleave(self, y: Self) -> (Self, Self) {
        // SAFETY: as above.
        unsafe { (Self(vzip1q_f32(self.0, y.0)), Self(vzip2q_f32(self.0, y.0))) }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vaddq_f32(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vsubq_f32(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vmulq_f32(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vdivq_f32(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmaq_f32(z.0, self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmsq_f32(self.0, x.0, y.0) })
    }
    // Compare and select: the max and min instructions treat NaN differently.
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f32(vcgtq_f32(self.0, y.0), self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f32(vcltq_f32(self.0, y.0), self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vabsq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f32(vdupq_n_u32(1 << 31), sign.0, self.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vrndnq_f32(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let exponent = vaddq_s32(vcvtq_s32_f32(self.0), vdupq_n_s32(127));
            Self(vreinterpretq_f32_s32(vshlq_n_s32::<23>(exponent)))
        }
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f32(vcltq_f32(self.0, y.0), then.0, otherwise.0) })
    }
    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: as above.
        unsafe {
            let pairs = vadd_f32(vget_low_f32(self.0), vget_high_f32(self.0));
            vget_lane_f32::<0>(pairs) + vget_lane_f32::<1>(pairs)
        }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f32 {
        // SAFETY: as above.
        unsafe { vmaxnmvq_f32(self.0) }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Lanes2(float64x2_t);

impl Simd for Lanes2 {
    type Number = f64;
    const LANES: usize = 2;
    const ROWS: usize = 8;
    const VECTORS: usize = 3;

    // SAFETY, for every block below: as in the implementation for f32.
    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { vdupq_n_f64(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: as above.
        Self(unsafe { vld1q_f64(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: as above.
        unsafe { vst1q_f64(p, self.0) }
    }
    #[inline(always)]
    unsafe fn load_first(p: *const f64, n: usize) -> Self {
        // SAFETY: as above.
        unsafe {
            let zeros = vdupq_n_f64(0.0);
            Self(if n > 0 { vld1q_lane_f64::<0>(p, zeros) } else { zeros })
        }
    }
    #[inline(always)]
    unsafe fn store_first(self, p: *mut f64, n: usize) {
        if n > 0 {
            // SAFETY: as above.
            unsafe { vst1q_lane_f64::<0>(p, self.0) }
        }
    }
    #[inline(always)]
    unsafe fn interleave(self, y: Self) -> (Self, Self) {
        // SAFETY: as above.
        unsafe { (Self(vzip1q_f64(self.0, y.0)), Self(vzip2q_f64(self.0, y.0))) }
    }
    #[inline(always)]
    unsafe fn add(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vaddq_f64(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn sub(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vsubq_f64(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vmulq_f64(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn div(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vdivq_f64(self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn mul_add(self, y: Self, z: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmaq_f64(z.0, self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn minus_product(self, x: Self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vfmsq_f64(self.0, x.0, y.0) })
    }
    #[inline(always)]
    unsafe fn max(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f64(vcgtq_f64(self.0, y.0), self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn min(self, y: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f64(vcltq_f64(self.0, y.0), self.0, y.0) })
    }
    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vabsq_f64(self.0) })
    }
    #[inline(always)]
    unsafe fn copy_sign(self, sign: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f64(vdupq_n_u64(1 << 63), sign.0, self.0) })
    }
    #[inline(always)]
    unsafe fn round(self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vrndnq_f64(self.0) })
    }
    #[inline(always)]
    unsafe fn power_of_two(self) -> Self {
        // SAFETY: as above.
        unsafe {
            let exponent = vaddq_s64(vcvtq_s64_f64(self.0), vdupq_n_s64(1023));
            Self(vreinterpretq_f64_s64(vshlq_n_s64::<52>(exponent)))
        }
    }
    #[inline(always)]
    unsafe fn less(self, y: Self, then: Self, otherwise: Self) -> Self {
        // SAFETY: as above.
        Self(unsafe { vbslq_f64(vcltq_f64(self.0, y.0), then.0, otherwise.0) })
    }
    #[inline(always)]
    unsafe fn sum(self) -> f64 {
        // SAFETY: as above.
        unsafe { vgetq_lane_f64::<0>(self.0) + vgetq_lane_f64::<1>(self.0) }
    }
    #[inline(always)]
    unsafe fn largest(self) -> f64 {
        // SAFETY: as above.
        unsafe { vmaxnmvq_f64(self.0) }
    }
}

variant!(F32, run_f32, Lanes4, f32, Isa::Neon, "neon");
variant!(F64, run_f64, Lanes2, f64, Isa::Neon, "neon");
