/* The bitmap, for what is compiled into its users' loops. */
#ifndef BITMAP_H
#define BITMAP_H

#include "memory_baseline.h"

#include <stdatomic.h>

enum { page_shift = 12 };

struct baseline_bitmap {
    uint64_t byte_count;
    size_t word_count;
    _Atomic(uint64_t) *words;
};

/* Marks the pages of `length` bytes at `offset`: a mask for each word, and plain stores of whole words. */
static inline void bitmap_mark(struct baseline_bitmap *bitmap, uint64_t offset, uint64_t length) {
    if (length == 0 || offset >= bitmap->byte_count) {
        return;
    }
    uint64_t left = bitmap->byte_count - offset;
    uint64_t first = offset >> page_shift;
    uint64_t last = (offset + (length < left ? length : left) - 1) >> page_shift;
    uint64_t head = ~UINT64_C(0) << (first & 63);
    uint64_t tail = ~UINT64_C(0) >> (63 - (last & 63));
    uint64_t word = first >> 6;
    uint64_t last_word = last >> 6;

    if (word == last_word) {
        atomic_fetch_or_explicit(&bitmap->words[word], head & tail, memory_order_release);
        return;
    }
    atomic_fetch_or_explicit(&bitmap->words[word], head, memory_order_release);
    while (++word < last_word) {
        atomic_store_explicit(&bitmap->words[word], ~UINT64_C(0), memory_order_release);
    }
    atomic_fetch_or_explicit(&bitmap->words[last_word], tail, memory_order_release);
}

static inline bool bitmap_test(const struct baseline_bitmap *bitmap, uint64_t offset) {
    if (offset >= bitmap->byte_count) {
        return false;
    }
    uint64_t page = offset >> page_shift;
    return atomic_load_explicit(&bitmap->words[page >> 6], memory_order_acquire) >> (page & 63) & 1;
}

#endif
