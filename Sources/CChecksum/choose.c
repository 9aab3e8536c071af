#include "cchecksum.h"
#include "variants.h"

uint64_t cchecksum_xxh3(const void *bytes, size_t count, uint64_t seed) {
    /* A load and a test of what was found out when the program started. */
    return __builtin_cpu_supports("avx2") ? cchecksum_xxh3_avx2(bytes, count, seed)
                                          : cchecksum_xxh3_any(bytes, count, seed);
}
