/*
 * The baseline of the memory benchmarks: the data structures of a monitor's memory layer as an engineer writes them in
 * C, without this project's refinements. Functions that take `count` do their work so many times, so that what is timed
 * is compiled in one piece.
 *
 * Running out of memory ends the process: there is nothing left to measure then.
 */
#ifndef MEMORY_BASELINE_H
#define MEMORY_BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- bitmap.c: one bit for each page of 4 KiB, in words that are changed atomically ---- */

struct baseline_bitmap;

struct baseline_bitmap *baseline_bitmap_create(uint64_t byte_count);
void baseline_bitmap_destroy(struct baseline_bitmap *bitmap);

/* Where marks go: the i-th is of `length` bytes at `start + (i & mask) * stride`. */
struct baseline_marks {
    uint64_t start;
    uint64_t stride;
    uint64_t mask;
    uint64_t length;
};

/* Marks. */
void baseline_bitmap_mark(struct baseline_bitmap *bitmap, struct baseline_marks marks, uint64_t count);

/* Marks the page at each of `offset_count` offsets. */
void baseline_bitmap_mark_each(struct baseline_bitmap *bitmap, const uint64_t *offsets, size_t offset_count);

/* Tests pages, the i-th at `start + (i & mask) * stride`. */
void baseline_bitmap_test(const struct baseline_bitmap *bitmap, struct baseline_marks marks, uint64_t count);

/* ---- harvest.c ---- */

/* Takes all marks into a buffer of as many words as the bitmap has. Returns how many pages they were of. */
uint64_t baseline_bitmap_harvest(struct baseline_bitmap *bitmap, uint64_t *words);

/* A run of pages, without its end. */
struct baseline_run {
    uint64_t first;
    uint64_t end;
};

/* Takes all marks as runs into a buffer of `capacity` runs, which must suffice. Returns how many runs there are. */
size_t baseline_bitmap_harvest_runs(struct baseline_bitmap *bitmap, struct baseline_run *runs, size_t capacity);

struct baseline_found {
    uint64_t runs;
    uint64_t pages;
};

/* Goes through the runs of set bits in words that nobody else changes. */
struct baseline_found baseline_word_runs(const uint64_t *words, size_t count);

/* ---- map.c: regions in ascending order, found by bisection ---- */

struct baseline_map;

/* A map of `count` regions of `size` bytes, one every `stride` bytes from 0, of memory of their own. */
struct baseline_map *baseline_map_create(size_t count, uint64_t size, uint64_t stride, bool is_tracked);
void baseline_map_release(struct baseline_map *map);

/* Looks up addresses, the i-th being `addresses[i & mask]`. */
void baseline_map_find(const struct baseline_map *map, const uint64_t *addresses, uint64_t mask, uint64_t count);

/*
 * Removes a region and inserts it again, each time by way of a new map that shares its regions with the one before. The
 * i-th time it is the one at `(i & mask) * stride`. Returns the last map, in place of the one given.
 */
struct baseline_map *baseline_map_replace(struct baseline_map *map, uint64_t stride, uint64_t mask, uint64_t count);

/* ---- shared.c: a map that can be replaced while others read it, by read-copy-update ---- */

struct baseline_shared;

/* Takes over a reference to the map. */
struct baseline_shared *baseline_shared_create(struct baseline_map *map);
void baseline_shared_destroy(struct baseline_shared *shared);

/* Begins and ends a read section. */
void baseline_shared_read(struct baseline_shared *shared, uint64_t count);

/* ---- access.c: guest memory by guest-physical address ---- */

/* 8 bytes at `(i & mask) * 8`. */
void baseline_read_u64(struct baseline_shared *memory, uint64_t mask, uint64_t count);
void baseline_write_u64(struct baseline_shared *memory, uint64_t mask, uint64_t count);

/* 4 KiB at `(i & mask) * 4096`. */
void baseline_read_page(struct baseline_shared *memory, void *buffer, uint64_t mask, uint64_t count);
void baseline_write_page(struct baseline_shared *memory, const void *buffer, uint64_t mask, uint64_t count);

/* Copies 4 KiB from `source + (i & mask) * 4096`. */
void baseline_memcpy_page(void *buffer, const void *source, uint64_t mask, uint64_t count);

/* ---- registrar.c: which chunks of guest memory have been registered with the kernel ---- */

struct baseline_registrar;

/* Chunks of 2 GiB, all of them registered. */
struct baseline_registrar *baseline_registrar_create(uint64_t byte_count);
void baseline_registrar_destroy(struct baseline_registrar *registrar);

/* Makes sure that 4 KiB are registered, at `(i & mask) * stride`. */
void baseline_registrar_expose(
    const struct baseline_registrar *registrar, uint64_t stride, uint64_t mask, uint64_t count);

/* ---- plan.c: regions with priorities, the view of them in force, and operations from one view to the next ---- */

struct baseline_plan;

/* No regions. There can be 1024 at most, each with one mapping of one backing. */
struct baseline_plan *baseline_plan_create(void);
void baseline_plan_destroy(struct baseline_plan *plan);

/* Adds a region with memory from `offset` of the backing on, and maps it. */
void baseline_plan_add(struct baseline_plan *plan, uint64_t start, uint64_t size, unsigned priority, uint64_t offset);

/* Adds such a region, maps it, unmaps it and removes it. Returns how many operations were planned in all. */
uint64_t baseline_plan_cycle(
    struct baseline_plan *plan, uint64_t start, uint64_t size, unsigned priority, uint64_t offset, uint64_t count);

/* ---- place.c: memory of a file in reserved addresses ---- */

struct baseline_place;

/* Reserves `size` bytes of addresses, and makes a memfd. */
struct baseline_place *baseline_place_create(uint64_t size, uint64_t file_size);
void baseline_place_destroy(struct baseline_place *place);

/* Maps a part of the file at an offset in the reservation, and reserves the addresses again. */
void baseline_place_cycle(
    struct baseline_place *place, uint64_t start, uint64_t size, uint64_t offset, uint64_t count);

/* ---- fault.c ---- */

/*
 * Loads a byte that cannot be loaded, and goes on by a signal handler's `siglongjmp`. The handlers of SIGSEGV and
 * SIGBUS are its own meanwhile. Returns how many loads faulted.
 */
uint64_t baseline_fault(const void *address, uint64_t count);

#endif
