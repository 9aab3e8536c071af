// What the pages hold. A page is 512 words of 64 bits:
//
//     stamp, the one word that passes write:   0xd1 | frame | pass
//     fill, the other 511, written once:       0xf1 | frame | word
//
// The upper 8 bits tell the kind; the frame (the address in units of 4 KiB)
// and the pass or word take 28 bits each, so that all three can be read off a
// hexadecimal number: 0xd1fffffffppppppp. A page that is missing, stale or in
// another page's place, and a write that got lost, each show in their own way.

#pragma once

#include <stdint.h>

#include "paging.h"
#include "report.h"

enum { WORDS_PER_PAGE = PAGE_SIZE / 8 };

#define STAMP_KIND (0xd1ull << 56)
#define FILL_KIND (0xf1ull << 56)
#define FIELD_MASK 0xfffffffull

typedef volatile uint64_t word64;

static inline uint64_t frame_bits(uint64_t page)
{
    return (page / PAGE_SIZE & FIELD_MASK) << 28;
}

static inline uint64_t stamp_value(uint64_t page, uint64_t pass)
{
    return STAMP_KIND | frame_bits(page) | (pass & FIELD_MASK);
}

static inline uint64_t fill_value(uint64_t page, unsigned word)
{
    return FILL_KIND | frame_bits(page) | word;
}

// The stamp's place in its page. It moves by a cache line per page: at one
// place in all pages, the stamps would compete for a few lines of the cache.
static inline unsigned stamp_word(uint64_t page)
{
    return (unsigned)(page / PAGE_SIZE * 8 % WORDS_PER_PAGE);
}

static inline void check_word(uint64_t address, uint64_t expected)
{
    uint64_t found = *(word64 *)address;
    if (__builtin_expect(found != expected, 0)) {
        report_corruption(address, expected, found);
    }
}

// Fills a page and gives it the stamp of pass 0.
void fill_page(uint64_t page);

// Checks all words of a page.
void check_whole_page(uint64_t page, uint64_t stamp_pass);

// Checks the stamp, which must be the one of `stamp_pass`; and all words of one
// page in 16, others in each pass: within 16 passes it is every page.
static inline void check_page(uint64_t page, uint64_t stamp_pass, uint64_t pass)
{
    if ((page / PAGE_SIZE + pass) % 16 == 0) {
        check_whole_page(page, stamp_pass);
    } else {
        check_word(page + stamp_word(page) * 8, stamp_value(page, stamp_pass));
    }
}

static inline void stamp_page(uint64_t page, uint64_t pass)
{
    *(word64 *)(page + stamp_word(page) * 8) = stamp_value(page, pass);
}
