// Where RAM is: below 3 GiB, and the rest of it from 4 GiB on. An offset
// counts bytes of RAM as if there were no gap.

#pragma once

#include <stdint.h>

#define MEMORY_GAP_START (3ull << 30)
#define MEMORY_GAP_END (4ull << 30)

static inline uint64_t address_of_offset(uint64_t offset)
{
    return offset < MEMORY_GAP_START ? offset : offset + (MEMORY_GAP_END - MEMORY_GAP_START);
}

// For addresses outside the gap.
static inline uint64_t offset_of_address(uint64_t address)
{
    return address < MEMORY_GAP_START ? address : address - (MEMORY_GAP_END - MEMORY_GAP_START);
}
