#include "shared.h"

#include "measuring.h"

#include <stdlib.h>
#include <string.h>

/* The host address of `length` bytes of one region, and the region; NULL where they are not all in one. */
static inline uint8_t *translate(
    const struct baseline_map *map, uint64_t address, uint64_t length, const struct region **region) {
    const struct entry *entry = map_find(map, address);

    if (entry == NULL || length - 1 > entry->last - address) {
        return NULL;
    }
    *region = entry->region;
    return entry->region->host + (address - entry->start);
}

static inline bool read_u64(struct baseline_shared *memory, uint64_t address, uint64_t *value) {
    const struct region *region;
    const uint8_t *host = translate(read_begin(memory), address, sizeof *value, &region);

    if (host != NULL) {
        *value = *(const volatile uint64_t *)host;
    }
    read_end();
    return host != NULL;
}

static inline bool write_u64(struct baseline_shared *memory, uint64_t address, uint64_t value) {
    const struct region *region;
    uint8_t *host = translate(read_begin(memory), address, sizeof value, &region);

    if (host != NULL) {
        *(volatile uint64_t *)host = value;
        if (region->bitmap != NULL) {
            bitmap_mark(region->bitmap, address - region->start, sizeof value);
        }
    }
    read_end();
    return host != NULL;
}

static inline bool read_bytes(struct baseline_shared *memory, uint64_t address, void *buffer, size_t length) {
    const struct region *region;
    const uint8_t *host = translate(read_begin(memory), address, length, &region);

    if (host != NULL) {
        memcpy(buffer, host, length);
    }
    read_end();
    return host != NULL;
}

static inline bool write_bytes(struct baseline_shared *memory, uint64_t address, const void *buffer, size_t length) {
    const struct region *region;
    uint8_t *host = translate(read_begin(memory), address, length, &region);

    if (host != NULL) {
        memcpy(host, buffer, length);
        if (region->bitmap != NULL) {
            bitmap_mark(region->bitmap, address - region->start, length);
        }
    }
    read_end();
    return host != NULL;
}

static inline void require(bool is_done) {
    if (!is_done) {
        abort();
    }
}

void baseline_read_u64(struct baseline_shared *memory, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value;
        require(read_u64(memory, measuring_opaque((i & mask) * 8), &value));
        measuring_consume(value);
    }
}

void baseline_write_u64(struct baseline_shared *memory, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        require(write_u64(memory, measuring_opaque((i & mask) * 8), measuring_opaque(i)));
    }
}

void baseline_read_page(struct baseline_shared *memory, void *buffer, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        require(read_bytes(memory, measuring_opaque((i & mask) * 4096), buffer, measuring_opaque(4096)));
    }
}

void baseline_write_page(struct baseline_shared *memory, const void *buffer, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        require(write_bytes(memory, measuring_opaque((i & mask) * 4096), buffer, measuring_opaque(4096)));
    }
}

void baseline_memcpy_page(void *buffer, const void *source, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        uint64_t offset = measuring_opaque((i & mask) * 4096);
        memcpy(buffer, (const uint8_t *)source + offset, measuring_opaque(4096));
        measuring_consume((uint64_t)(uintptr_t)buffer);
    }
}
