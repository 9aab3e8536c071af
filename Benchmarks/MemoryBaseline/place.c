#define _GNU_SOURCE
#include "memory_baseline.h"

#include "allocate.h"

#include <sys/mman.h>
#include <unistd.h>

struct baseline_place {
    char *base;
    size_t size;
    int file;
};

static void require(bool is_done) {
    if (is_done) return;
    perror("memory baseline");
    exit(70);
}

struct baseline_place *baseline_place_create(uint64_t size, uint64_t file_size) {
    struct baseline_place *place = allocate(sizeof *place);

    place->size = size;
    place->base = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    require(place->base != MAP_FAILED);
    place->file = memfd_create("memory baseline", MFD_CLOEXEC);
    require(place->file >= 0 && ftruncate(place->file, (off_t)file_size) == 0);
    return place;
}

void baseline_place_destroy(struct baseline_place *place) {
    munmap(place->base, place->size);
    close(place->file);
    free(place);
}

void baseline_place_cycle(
    struct baseline_place *place, uint64_t start, uint64_t size, uint64_t offset, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        char *base = place->base + start;

        require(
            mmap(base, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, place->file, (off_t)offset)
            == base);
        require(
            mmap(base, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == base);
    }
}
