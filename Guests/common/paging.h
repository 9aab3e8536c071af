// Page tables of the guest's own, for what the monitor's identity map cannot
// do: memory above 4 GiB, user mode, and addresses that must fault. Every
// address maps to itself. The tables reach 512 GiB.

#pragma once

#include <stdint.h>

#define PAGE_SIZE 4096ull
#define LARGE_PAGE_SIZE 0x200000ull

enum page_kind {
    KERNEL_MEMORY, // for ring 0
    USER_MEMORY,   // for rings 0 and 3
    DEVICE_MEMORY, // for ring 0, not cached
};

// Maps start..end, widened to large pages of 2 MiB.
void map_range(uint64_t start, uint64_t end, enum page_kind kind);

// Removes one page of 4 KiB from a range mapped before.
void unmap_page(uint64_t address);

// Makes the processor use these tables. Changes after that may not be seen.
void load_page_tables(void);

// The root table's address, for other processors.
uint64_t page_table_root(void);

// Zeroed memory behind the image, in one piece, never given back. Page tables
// come from there too.
void *allocate_pages(uint64_t count);

// Where the memory starts that nothing uses yet.
uint64_t free_memory_start(void);
