#ifndef ALLOCATE_H
#define ALLOCATE_H

#include <stdio.h>
#include <stdlib.h>

/* Zeroed memory, or the end of the process. */
static inline void *allocate(size_t size) {
    void *memory = calloc(1, size);
    if (memory == NULL) {
        fputs("memory baseline: out of memory\n", stderr);
        exit(70);
    }
    return memory;
}

#endif
