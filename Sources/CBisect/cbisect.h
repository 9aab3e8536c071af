// A bisection without branches: Swift has no way to say that a comparison cannot be predicted.
#ifndef CBISECT_H
#define CBISECT_H

#include <stdint.h>

// The index of the last of `count` ascending values, above 0, that is at most `value`; 0 where there is none. It makes
// the same steps whatever is sought, and no jump depends on what is found: bisections for addresses of different regions
// could not be predicted.
static inline int64_t cbisect_last_not_above(const uint64_t *_Nonnull values, int64_t count, uint64_t value) {
    const uint64_t *base = values;
    while (count > 1) {
        int64_t half = count >> 1;
        base = __builtin_unpredictable(base[half] <= value) ? base + half : base;
        count -= half;
    }
    return base - values;
}

#endif
