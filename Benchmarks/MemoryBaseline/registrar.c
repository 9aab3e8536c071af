#include "memory_baseline.h"

#include "allocate.h"
#include "measuring.h"

#include <stdatomic.h>

enum { chunk_shift = 31 };

struct baseline_registrar {
    uint64_t chunk_count;
    _Atomic(uint64_t) *missing; /* a bit for each chunk that is to be registered yet */
};

struct baseline_registrar *baseline_registrar_create(uint64_t byte_count) {
    struct baseline_registrar *registrar = allocate(sizeof *registrar);

    registrar->chunk_count = byte_count >> chunk_shift;
    registrar->missing = allocate((size_t)(registrar->chunk_count / 64 + 1) * sizeof *registrar->missing);
    return registrar;
}

void baseline_registrar_destroy(struct baseline_registrar *registrar) {
    free(registrar->missing);
    free(registrar);
}

/* Whether the chunks of some bytes are registered. */
static inline bool is_registered(const struct baseline_registrar *registrar, uint64_t address, uint64_t length) {
    uint64_t last;

    if (length == 0) {
        return true;
    }
    if (__builtin_add_overflow(address, length - 1, &last) || last >> chunk_shift >= registrar->chunk_count) {
        return false;
    }
    for (uint64_t chunk = address >> chunk_shift; chunk <= last >> chunk_shift; chunk++) {
        if (atomic_load_explicit(&registrar->missing[chunk / 64], memory_order_acquire) >> chunk % 64 & 1) {
            return false;
        }
    }
    return true;
}

void baseline_registrar_expose(
    const struct baseline_registrar *registrar, uint64_t stride, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (!is_registered(registrar, measuring_opaque((i & mask) * stride), measuring_opaque(4096))) {
            abort();
        }
    }
}
