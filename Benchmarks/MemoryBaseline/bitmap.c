#include "bitmap.h"

#include "allocate.h"
#include "measuring.h"

struct baseline_bitmap *baseline_bitmap_create(uint64_t byte_count) {
    struct baseline_bitmap *bitmap = allocate(sizeof *bitmap);
    uint64_t pages = (byte_count >> page_shift) + (byte_count % (1 << page_shift) != 0);

    bitmap->byte_count = byte_count;
    bitmap->word_count = (size_t)((pages + 63) / 64);
    bitmap->words = allocate(bitmap->word_count * sizeof *bitmap->words);
    return bitmap;
}

void baseline_bitmap_destroy(struct baseline_bitmap *bitmap) {
    free(bitmap->words);
    free(bitmap);
}

void baseline_bitmap_mark(struct baseline_bitmap *bitmap, struct baseline_marks marks, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = measuring_opaque(marks.start + (i & marks.mask) * marks.stride);
        bitmap_mark(bitmap, offset, measuring_opaque(marks.length));
    }
}

void baseline_bitmap_mark_each(struct baseline_bitmap *bitmap, const uint64_t *offsets, size_t offset_count) {
    for (size_t i = 0; i < offset_count; i++) {
        bitmap_mark(bitmap, offsets[i], 1);
    }
}

void baseline_bitmap_test(const struct baseline_bitmap *bitmap, struct baseline_marks marks, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        measuring_consume(bitmap_test(bitmap, measuring_opaque(marks.start + (i & marks.mask) * marks.stride)));
    }
}
