/*
 * Read-copy-update as user space has it (liburcu with membarrier): a reader says in a variable of its thread that it is
 * reading; who replaces the map waits until every reader has once not been reading. The reader needs no fence, since
 * the writer makes the kernel put one into every thread.
 */
#ifndef SHARED_H
#define SHARED_H

#include "map.h"

struct baseline_shared {
    _Atomic(struct baseline_map *) map;
};

extern _Thread_local _Atomic(uint64_t) reader __attribute__((tls_model("initial-exec")));

static inline const struct baseline_map *read_begin(struct baseline_shared *shared) {
    atomic_store_explicit(&reader, 1, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&shared->map, memory_order_acquire);
}

static inline void read_end(void) { atomic_store_explicit(&reader, 0, memory_order_release); }

#endif
