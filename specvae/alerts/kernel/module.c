/* specvae.alerts.kernel._compiled: a library that library.py calls by ctypes, which lets other Python threads run meanwhile. */
#include <Python.h>
#include "rows.h"

extern const Variant night_baseline;
#if defined(__x86_64__)
extern const Variant night_avx512, night_avx2;
#endif

/* The variants that this processor can run, the fastest first; how many there are. */
int specvae_variants(const Variant **found) {
    int count = 0;
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512vl")) found[count++] = &night_avx512;
    if (__builtin_cpu_supports("avx2")) found[count++] = &night_avx2;
#endif
    found[count++] = &night_baseline;
    return count;
}

/* The size of a structure here, which must be that of its twin in library.py. */
int64_t specvae_size(int which) {
    const int64_t sizes[] = {sizeof(Rows), sizeof(Look), sizeof(Out), sizeof(Learn)};
    return sizes[which];
}

static PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_compiled", "The compiled night; see library.py.", -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__compiled(void) { return PyModule_Create(&MODULE); }
