#include "paging.h"

#include <stddef.h>

#include "cpu.h"

enum {
    PRESENT = 0x01,
    WRITABLE = 0x02,
    USER = 0x04,
    WRITE_THROUGH = 0x08,
    CACHE_DISABLE = 0x10,
    ACCESSED = 0x20,
    DIRTY = 0x40,
    LARGE = 0x80,
};

enum { ENTRY_COUNT = 512 };

#define ADDRESS_MASK 0x000ffffffffff000ull

extern char image_end[]; // defined by the linker script

static uint64_t *root;
static uint64_t *directories; // one entry per GiB
static uint64_t next_free_page;

uint64_t free_memory_start(void)
{
    if (next_free_page == 0) {
        next_free_page = ((uint64_t)image_end + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
    }
    return next_free_page;
}

void *allocate_pages(uint64_t count)
{
    void *pages = (void *)free_memory_start();
    next_free_page += count * PAGE_SIZE;

    void *cursor = pages;
    uint64_t words = count * (PAGE_SIZE / 8);
    __asm__ volatile("rep stosq" : "+D"(cursor), "+c"(words) : "a"(0ull) : "memory");
    return pages;
}

// Entries that are no pages themselves allow everything; the pages restrict.
static uint64_t link(const void *table)
{
    return (uint64_t)table | PRESENT | WRITABLE | USER | ACCESSED;
}

static uint64_t *large_page_entry(uint64_t address)
{
    uint64_t *directory_entry = &directories[address >> 30];
    if (*directory_entry == 0) {
        *directory_entry = link(allocate_pages(1));
    }
    uint64_t *directory = (uint64_t *)(*directory_entry & ADDRESS_MASK);
    return &directory[address >> 21 & (ENTRY_COUNT - 1)];
}

void map_range(uint64_t start, uint64_t end, enum page_kind kind)
{
    // With these bits set already, the processor has no reason to write to
    // the tables: only the guest itself makes pages dirty.
    uint64_t flags = PRESENT | WRITABLE | ACCESSED | DIRTY | LARGE;
    if (kind == USER_MEMORY) {
        flags |= USER;
    } else if (kind == DEVICE_MEMORY) {
        flags |= WRITE_THROUGH | CACHE_DISABLE;
    }
    if (root == NULL) {
        root = allocate_pages(1);
        directories = allocate_pages(1);
        root[0] = link(directories);
    }
    uint64_t address = start & ~(LARGE_PAGE_SIZE - 1);
    while (address < end) {
        *large_page_entry(address) = address | flags;
        address += LARGE_PAGE_SIZE;
    }
}

void unmap_page(uint64_t address)
{
    uint64_t *entry = large_page_entry(address);
    if (*entry & LARGE) {
        // Split: a table of small pages takes the large page's place.
        uint64_t flags = *entry & ~ADDRESS_MASK & ~(uint64_t)LARGE;
        uint64_t start = address & ~(LARGE_PAGE_SIZE - 1);
        uint64_t *table = allocate_pages(1);
        for (unsigned i = 0; i < ENTRY_COUNT; i++) {
            table[i] = (start + i * PAGE_SIZE) | flags;
        }
        *entry = link(table);
    }
    uint64_t *table = (uint64_t *)(*entry & ADDRESS_MASK);
    table[address >> 12 & (ENTRY_COUNT - 1)] = 0;
}

uint64_t page_table_root(void)
{
    return (uint64_t)root;
}

void load_page_tables(void)
{
    write_cr3(page_table_root());
}
