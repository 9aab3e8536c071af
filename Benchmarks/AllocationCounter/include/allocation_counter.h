/*
 * Linking this target into a program counts every heap allocation of the process: its definitions of malloc and kin
 * stand before the C library's for all that is linked dynamically, the C library itself included.
 */
#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/* How many allocations the calling thread has made, resizing included. */
uint64_t allocation_count(void);

#endif
