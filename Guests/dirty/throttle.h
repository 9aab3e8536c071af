// Spaces writes evenly in time, by the time-stamp counter.

#pragma once

#include <stdint.h>

struct throttle {
    uint64_t last;    // the counter when it was read last
    uint64_t credit;  // time that went by and is not used up
    uint64_t cost;    // of one page; 0: no throttle
    uint64_t maximum; // of the credit
};

// For `rate` bytes per second in pages of 4 KiB; 0 means without a limit.
void throttle_start(struct throttle *throttle, uint64_t rate, uint64_t tsc_khz);

// Returns when the next page is due.
void throttle_wait(struct throttle *throttle);
