// The options of the dirty guest.

#pragma once

#include <stdbool.h>
#include <stdint.h>

enum pattern {
    SEQUENTIAL,
    RANDOM,
    HOT,
};

struct options {
    uint64_t page_count;
    uint64_t base;         // address of the first page
    uint64_t rate;         // bytes of pages dirtied per second; 0: no limit
    uint64_t passes;       // 0: no end
    uint64_t report_every; // in passes; 0: no reports
    uint64_t cpus;         // at least 1, and no more than there are pages
    enum pattern pattern;
    bool checks; // in passes
};

// Reads the command line. Ends the guest with a message and value 1 if it is
// wrong or asks for CPUs or a clock that the machine does not have.
struct options read_options(const char *command_line, uint64_t cpu_count, uint64_t tsc_khz);

// Ends the guest likewise if the working set that the options ask for is not
// free memory. `memory_start` is where memory begins that the guest does not
// need for itself.
void check_placement(const struct options *options, uint64_t memory_size, uint64_t memory_start);
