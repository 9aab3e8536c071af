#include "cbitcount.h"

/* A loop that compilers turn into the vectors of the function it is inlined into. */
static inline __attribute__((always_inline)) uint64_t sum(const uint64_t *words, size_t count) {
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) total += (uint64_t)__builtin_popcountll(words[i]);
    return total;
}

__attribute__((target("avx2,popcnt"))) static uint64_t sum_avx2(const uint64_t *words, size_t count) {
    return sum(words, count);
}

__attribute__((target("avx512f,avx512vpopcntdq,popcnt"))) static uint64_t sum_avx512(const uint64_t *words,
                                                                                     size_t count) {
    return sum(words, count);
}

static uint64_t sum_any(const uint64_t *words, size_t count) { return sum(words, count); }

uint64_t cbitcount(const uint64_t *words, size_t count) {
    /* A load and a test of what was found out when the program started. */
    if (__builtin_cpu_supports("avx512vpopcntdq")) return sum_avx512(words, count);
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt") ? sum_avx2(words, count)
                                                                              : sum_any(words, count);
}
