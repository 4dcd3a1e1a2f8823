/* Processors with AVX-512. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,fma,prefer-vector-width=512")
#include <immintrin.h>
#define NAME avx512
#define WIDTH 16
#define TOGETHER 8
#define FMA(a, b, c) ((lanes)_mm512_fmadd_ps((__m512)(a), (__m512)(b), (__m512)(c)))
#include "window.h"
const Variant variant_avx512 = {"avx512", FUNCTION(score), FUNCTION(explain)};
#endif
