/* Processors with AVX2. */
#if defined(__x86_64__)
#pragma GCC target("avx2")
#define NAME avx2
#include "night.h"
const Variant night_avx2 = {"avx2", FUNCTION(look), FUNCTION(stand_out), FUNCTION(learn)};
#endif
