/* Every other processor: 64-bit Arm has fused multiply-adds and gives the bits of AVX2; a plain x86-64 rounds twice and does not. */
#define NAME baseline
#define WIDTH 4
#define TOGETHER 4
#if defined(__aarch64__)
#include <arm_neon.h>
#define FMA(a, b, c) ((lanes)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#else
#define FMA(a, b, c) ((a) * (b) + (c))
#endif
#include "window.h"
const Variant variant_baseline = {"baseline", FUNCTION(score), FUNCTION(explain)};
