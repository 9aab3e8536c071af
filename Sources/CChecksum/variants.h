/* The same function, compiled for different processors. */
#ifndef CCHECKSUM_VARIANTS_H
#define CCHECKSUM_VARIANTS_H

#include <stddef.h>
#include <stdint.h>

uint64_t cchecksum_xxh3_any(const void *bytes, size_t count, uint64_t seed);
uint64_t cchecksum_xxh3_avx2(const void *bytes, size_t count, uint64_t seed);

#endif
