/*
 * XXH3-64 of xxHash with the widest vectors that it pays to use: the library of a distribution is built for any processor of
 * its architecture, and hashes at a third of the speed.
 */
#ifndef CCHECKSUM_H
#define CCHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/*
 * What XXH3_64bits_withSeed returns for `count` bytes; the pointer may be null where there are none. Any thread.
 */
uint64_t cchecksum_xxh3(const void *_Nullable bytes, size_t count, uint64_t seed);

#pragma clang assume_nonnull end

#endif
