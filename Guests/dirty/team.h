// The CPUs that share the work. Each writes and checks its own share of the
// pages, in ring 3. They make their passes in step: none begins a pass before
// all have finished the one before.

#pragma once

#include <stdint.h>

#include "options.h"
#include "share.h"

struct worker {
    const struct options *options;
    uint64_t tsc_khz;
    uint64_t number;     // the CPU's place among the shares
    struct worker *next; // of the next CPU; null after the last one

    struct share share;
    uint64_t step; // that it waits to begin: see team.c
} __attribute__((aligned(64)));

// The boot CPU's, which leads the team. It is number 0 and the first of the
// list, which must be complete when it begins to work.
extern struct worker leader;

// What a CPU does in ring 3: fills its share, makes the passes and checks all
// words at last. The leader reports the passes, ends them when they are enough
// and powers the machine off. The argument is the CPU's worker.
void work(void *worker);
