#include "variants.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t cchecksum_xxh3_any(const void *bytes, size_t count, uint64_t seed) {
    return XXH3_64bits_withSeed(bytes, count, seed);
}
