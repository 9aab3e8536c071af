#include "memory_baseline.h"

#include "allocate.h"
#include "measuring.h"

#include <string.h>

enum { capacity = 1024, operation_capacity = 64 };

struct memory {
    bool exists;
    bool is_writable;
    uint32_t backing;
    uint64_t offset;
};

struct region {
    uint64_t start;
    uint64_t last;
    uint64_t id;
    unsigned priority;
    bool is_mapped;
    struct memory memory;
};

struct piece {
    uint64_t start;
    uint64_t last;
    uint64_t id;
    struct memory memory;
};

struct operation {
    bool is_map;
    struct piece piece;
};

struct baseline_plan {
    uint64_t next_id;
    size_t region_count;
    struct region regions[capacity]; /* the oldest first */
    size_t piece_count;
    struct piece view[2 * capacity + 1]; /* ascending */
    size_t operation_count;
    struct operation operations[operation_capacity];
};

static bool is_same_memory(struct memory left, struct memory right) {
    return left.exists == right.exists && left.is_writable == right.is_writable && left.backing == right.backing
        && left.offset == right.offset;
}

static struct piece part(struct piece piece, uint64_t start, uint64_t last) {
    piece.memory.offset += start - piece.start;
    piece.start = start;
    piece.last = last;
    return piece;
}

/* Appends a piece that is above all others, to the last one where that goes on in it. */
static size_t append(struct piece *pieces, size_t count, struct piece piece) {
    if (count > 0) {
        struct piece *previous = &pieces[count - 1];
        struct memory next = previous->memory;
        next.offset += previous->last - previous->start + 1;
        if (previous->last + 1 == piece.start && previous->id == piece.id && is_same_memory(next, piece.memory)) {
            previous->last = piece.last;
            return count;
        }
    }
    pieces[count] = piece;
    return count + 1;
}

/* The region that is seen at an address, or NULL, and the last address up to which that is so. */
static const struct region *top_region(const struct baseline_plan *plan, uint64_t address, uint64_t *last) {
    const struct region *top = NULL;

    for (size_t i = 0; i < plan->region_count; i++) {
        const struct region *region = &plan->regions[i];
        if (!region->is_mapped || region->last < address) {
            continue;
        }
        if (region->start > address) {
            *last = region->start - 1 < *last ? region->start - 1 : *last;
            continue;
        }
        *last = region->last < *last ? region->last : *last;
        if (top == NULL || region->priority > top->priority) {
            top = region;
        }
    }
    return top;
}

/* The first piece that ends at an address or above. */
static size_t find_piece(const struct baseline_plan *plan, uint64_t address) {
    size_t low = 0, high = plan->piece_count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (plan->view[middle].last < address) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void add_operations(
    struct baseline_plan *plan, bool is_map, const struct piece *pieces, size_t count, uint64_t start, uint64_t last) {
    for (size_t i = 0; i < count; i++) {
        uint64_t from = pieces[i].start > start ? pieces[i].start : start;
        uint64_t through = pieces[i].last < last ? pieces[i].last : last;
        if (pieces[i].memory.exists && from <= through) {
            plan->operations[plan->operation_count++] = (struct operation){is_map, part(pieces[i], from, through)};
        }
    }
}

/* Brings the view up to date where a region has changed that has memory nobody else has, and plans how to get there. */
static void render(struct baseline_plan *plan, uint64_t start, uint64_t last) {
    struct piece pieces[operation_capacity];
    size_t count = 0;
    size_t first = find_piece(plan, start == 0 ? 0 : start - 1);
    size_t end = first;

    while (end < plan->piece_count && plan->view[end].start <= last + 1) {
        end++;
    }
    if (first < end && plan->view[first].start < start) {
        struct piece below = plan->view[first];
        count = append(pieces, count, part(below, below.start, below.last < start ? below.last : start - 1));
    }
    for (uint64_t address = start, through; address <= last; address = through + 1) {
        through = last;
        const struct region *top = top_region(plan, address, &through);
        if (top != NULL) {
            struct piece all = {top->start, top->last, top->id, top->memory};
            count = append(pieces, count, part(all, address, through));
        }
    }
    if (first < end && plan->view[end - 1].last > last) {
        struct piece above = plan->view[end - 1];
        count = append(pieces, count, part(above, above.start > last ? above.start : last + 1, above.last));
    }
    plan->operation_count = 0;
    add_operations(plan, false, &plan->view[first], end - first, start, last);
    add_operations(plan, true, pieces, count, start, last);
    memmove(&plan->view[first + count], &plan->view[end], (plan->piece_count - end) * sizeof *plan->view);
    memcpy(&plan->view[first], pieces, count * sizeof *pieces);
    plan->piece_count += count - (end - first);
}

static struct region *find_region(struct baseline_plan *plan, uint64_t id) {
    for (size_t i = 0; i < plan->region_count; i++) {
        if (plan->regions[i].id == id) {
            return &plan->regions[i];
        }
    }
    abort();
}

static uint64_t add(struct baseline_plan *plan, uint64_t start, uint64_t size, unsigned priority) {
    if (plan->region_count == capacity) {
        abort();
    }
    plan->regions[plan->region_count++]
        = (struct region){.start = start, .last = start + size - 1, .id = plan->next_id, .priority = priority};
    return plan->next_id++;
}

static void add_mapping(struct baseline_plan *plan, uint64_t id, uint64_t offset) {
    find_region(plan, id)->memory = (struct memory){true, true, 1, offset};
}

static void set_mapped(struct baseline_plan *plan, uint64_t id, bool is_mapped) {
    struct region *region = find_region(plan, id);

    region->is_mapped = is_mapped;
    render(plan, region->start, region->last);
}

static void remove_region(struct baseline_plan *plan, uint64_t id) {
    struct region *region = find_region(plan, id);

    plan->region_count--;
    memmove(region, region + 1, (size_t)(&plan->regions[plan->region_count] - region) * sizeof *region);
}

struct baseline_plan *baseline_plan_create(void) {
    return allocate(sizeof(struct baseline_plan));
}

void baseline_plan_destroy(struct baseline_plan *plan) {
    free(plan);
}

void baseline_plan_add(struct baseline_plan *plan, uint64_t start, uint64_t size, unsigned priority, uint64_t offset) {
    uint64_t id = add(plan, start, size, priority);

    add_mapping(plan, id, offset);
    set_mapped(plan, id, true);
}

uint64_t baseline_plan_cycle(
    struct baseline_plan *plan, uint64_t start, uint64_t size, unsigned priority, uint64_t offset, uint64_t count) {
    uint64_t operations = 0;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = add(plan, measuring_opaque(start), size, priority);
        add_mapping(plan, id, offset);
        set_mapped(plan, id, true);
        operations += plan->operation_count;
        set_mapped(plan, id, false);
        operations += plan->operation_count;
        remove_region(plan, id);
    }
    return operations;
}
