#include "shared.h"

#include "allocate.h"
#include "measuring.h"

_Thread_local _Atomic(uint64_t) reader;

struct baseline_shared *baseline_shared_create(struct baseline_map *map) {
    struct baseline_shared *shared = allocate(sizeof *shared);

    shared->map = map;
    return shared;
}

void baseline_shared_destroy(struct baseline_shared *shared) {
    baseline_map_release(shared->map);
    free(shared);
}

void baseline_shared_read(struct baseline_shared *shared, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        measuring_consume((uint64_t)(uintptr_t)read_begin(shared));
        read_end();
    }
}
