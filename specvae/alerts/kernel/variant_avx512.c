/* Processors with AVX-512. */
#if defined(__x86_64__)
#pragma GCC target("avx512f,avx512dq,avx512bw,avx512vl,avx2,prefer-vector-width=512")
#define NAME avx512
#include "night.h"
const Variant night_avx512 = {"avx512", FUNCTION(look), FUNCTION(stand_out), FUNCTION(learn)};
#endif
