/* Regions and maps of them, for what is compiled into its users' loops. */
#ifndef MAP_H
#define MAP_H

#include "bitmap.h"

/* One region. It belongs to the maps it is in. */
struct region {
    _Atomic(size_t) references;
    uint64_t start;
    uint64_t size;
    uint8_t *host;
    struct baseline_bitmap *bitmap; /* NULL where nothing is tracked */
};

/* Where a region lies in a map, in one place for the search. */
struct entry {
    uint64_t start;
    uint64_t last;
    struct region *region;
};

struct baseline_map {
    size_t count;
    struct entry entries[];
};

/* The entry of the region at `address`, or NULL. */
static inline const struct entry *map_find(const struct baseline_map *map, uint64_t address) {
    size_t low = 0;
    size_t high = map->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (map->entries[middle].last < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < map->count && map->entries[low].start <= address ? &map->entries[low] : NULL;
}

#endif
