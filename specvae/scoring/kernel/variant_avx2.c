/* Processors with AVX2 and fused multiply-adds. */
#if defined(__x86_64__)
#pragma GCC target("avx2,fma")
#include <immintrin.h>
#define NAME avx2
#define WIDTH 8
#define TOGETHER 4
#define FMA(a, b, c) ((lanes)_mm256_fmadd_ps((__m256)(a), (__m256)(b), (__m256)(c)))
#include "window.h"
const Variant variant_avx2 = {"avx2", FUNCTION(score), FUNCTION(explain)};
#endif
