#include "map.h"

#include "allocate.h"
#include "measuring.h"

#include <string.h>

static struct baseline_map *allocate_map(size_t count) {
    struct baseline_map *map = allocate(sizeof *map + count * sizeof map->entries[0]);

    map->count = count;
    return map;
}

static void retain_regions(struct baseline_map *map) {
    for (size_t i = 0; i < map->count; i++) {
        atomic_fetch_add_explicit(&map->entries[i].region->references, 1, memory_order_relaxed);
    }
}

static void release_region(struct region *region) {
    if (atomic_fetch_sub_explicit(&region->references, 1, memory_order_acq_rel) > 1) {
        return;
    }
    if (region->bitmap != NULL) {
        baseline_bitmap_destroy(region->bitmap);
    }
    free(region->host);
    free(region);
}

struct baseline_map *baseline_map_create(size_t count, uint64_t size, uint64_t stride, bool is_tracked) {
    struct baseline_map *map = allocate_map(count);

    for (size_t i = 0; i < count; i++) {
        struct region *region = allocate(sizeof *region);
        region->references = 1;
        region->start = i * stride;
        region->size = size;
        region->host = aligned_alloc(4096, (size_t)size);
        if (region->host == NULL) {
            abort();
        }
        region->bitmap = is_tracked ? baseline_bitmap_create(size) : NULL;
        map->entries[i] = (struct entry){region->start, region->start + size - 1, region};
    }
    return map;
}

void baseline_map_release(struct baseline_map *map) {
    for (size_t i = 0; i < map->count; i++) {
        release_region(map->entries[i].region);
    }
    free(map);
}

void baseline_map_find(const struct baseline_map *map, const uint64_t *addresses, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        const struct entry *entry = map_find(map, measuring_opaque(addresses[i & mask]));
        measuring_consume(entry == NULL ? UINT64_MAX : entry->start);
    }
}

/* The map without the region that starts at `start`, which it has; that is handed to the caller, with a reference. */
static struct baseline_map *without(const struct baseline_map *map, uint64_t start, struct region **removed) {
    struct baseline_map *changed = allocate_map(map->count - 1);
    const struct entry *entry = map_find(map, start);
    size_t index = (size_t)(entry - map->entries);

    memcpy(changed->entries, map->entries, index * sizeof *entry);
    memcpy(changed->entries + index, entry + 1, (map->count - index - 1) * sizeof *entry);
    retain_regions(changed);
    *removed = entry->region;
    atomic_fetch_add_explicit(&entry->region->references, 1, memory_order_relaxed);
    return changed;
}

/* The map with a region more, which does not overlap its others and is taken over. */
static struct baseline_map *with(const struct baseline_map *map, struct region *region) {
    struct baseline_map *changed = allocate_map(map->count + 1);
    size_t index = 0;

    while (index < map->count && map->entries[index].start < region->start) {
        index++;
    }
    memcpy(changed->entries, map->entries, index * sizeof map->entries[0]);
    changed->entries[index] = (struct entry){region->start, region->start + region->size - 1, region};
    memcpy(changed->entries + index + 1, map->entries + index, (map->count - index) * sizeof map->entries[0]);
    retain_regions(changed);
    release_region(region);
    return changed;
}

struct baseline_map *baseline_map_replace(struct baseline_map *map, uint64_t stride, uint64_t mask, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        struct region *region;
        struct baseline_map *smaller = without(map, measuring_opaque((i & mask) * stride), &region);
        struct baseline_map *next = with(smaller, region);

        baseline_map_release(smaller);
        baseline_map_release(map);
        map = next;
    }
    return map;
}
