/* How many bits of words are set, by the vectors of the processor at hand. */
#ifndef CBITCOUNT_H
#define CBITCOUNT_H

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* The pointer may be null where there are none. Any thread. */
uint64_t cbitcount(const uint64_t *_Nullable words, size_t count);

#pragma clang assume_nonnull end

#endif
