#include "bitmap.h"

/* What was marked in a word, which is clean afterwards. */
static inline uint64_t take(_Atomic(uint64_t) *word) {
    if (atomic_load_explicit(word, memory_order_relaxed) == 0) {
        return 0;
    }
    return atomic_exchange(word, 0);
}

uint64_t baseline_bitmap_harvest(struct baseline_bitmap *bitmap, uint64_t *words) {
    uint64_t pages = 0;

    for (size_t i = 0; i < bitmap->word_count; i++) {
        words[i] = take(&bitmap->words[i]);
        if (words[i] != 0) {
            pages += (uint64_t)__builtin_popcountll(words[i]);
        }
    }
    return pages;
}

size_t baseline_bitmap_harvest_runs(struct baseline_bitmap *bitmap, struct baseline_run *runs, size_t capacity) {
    size_t count = 0;

    for (size_t i = 0; i < bitmap->word_count; i++) {
        uint64_t bits = take(&bitmap->words[i]);
        while (bits != 0) {
            uint64_t low = (uint64_t)__builtin_ctzll(bits);
            uint64_t after = ~(bits >> low);
            uint64_t length = after == 0 ? 64 : (uint64_t)__builtin_ctzll(after);
            uint64_t first = i * 64 + low;

            if (count > 0 && runs[count - 1].end == first) {
                runs[count - 1].end = first + length;
            } else if (count < capacity) {
                runs[count++] = (struct baseline_run){first, first + length};
            }
            bits = low + length == 64 ? 0 : bits & ~UINT64_C(0) << (low + length);
        }
    }
    return count;
}

struct baseline_found baseline_word_runs(const uint64_t *words, size_t count) {
    struct baseline_found found = {0};
    uint64_t end = 0;

    for (size_t i = 0; i < count; i++) {
        uint64_t bits = words[i];
        while (bits != 0) {
            uint64_t low = (uint64_t)__builtin_ctzll(bits);
            uint64_t after = ~(bits >> low);
            uint64_t length = after == 0 ? 64 : (uint64_t)__builtin_ctzll(after);
            uint64_t first = i * 64 + low;

            found.runs += found.pages == 0 || first != end;
            found.pages += length;
            end = first + length;
            bits = low + length == 64 ? 0 : bits & ~UINT64_C(0) << (low + length);
        }
    }
    return found;
}
