/* How the benchmarks talk to their guest `writer`: by its memory, so that it need not leave the guest. */
#ifndef WRITER_H
#define WRITER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    WRITER_CONTROL = 0x200000, /* guest-physical: a page */
    WRITER_PAGES = 0x201000,   /* the numbers of the pages to write */
    WRITER_SET = 0x400000,     /* where those pages begin, up to the end of memory */
};

/* A store here says that an order has been carried out. There is no memory. */
#define WRITER_DOORBELL UINT64_C(0xd0000000)

struct writer_control {
    /* By the host. */
    uint64_t page_count;
    uint64_t rate; /* bytes of pages per second; 0 for as fast as can be */
    uint64_t is_endless;
    uint64_t order; /* counts on; a new number is an order to go over the pages, once or without an end */
    uint64_t stop;  /* the number of the order to end */
    uint64_t host_words[3];

    /* By the guest. */
    uint64_t done;     /* the number of the last order carried out */
    uint64_t progress; /* how many pages have been written */
};

/* Gives the guest, which has nothing to do, something to do. */
static inline void writer_order(struct writer_control *control, uint64_t page_count, uint64_t rate, bool is_endless) {
    control->page_count = page_count;
    control->rate = rate;
    control->is_endless = is_endless;
    __atomic_store_n(&control->order, control->order + 1, __ATOMIC_RELEASE);
}

/* Ends an endless order. */
static inline void writer_stop(struct writer_control *control) {
    __atomic_store_n(&control->stop, control->order, __ATOMIC_RELEASE);
}

static inline bool writer_is_idle(struct writer_control *control) {
    return __atomic_load_n(&control->done, __ATOMIC_ACQUIRE) == control->order;
}

static inline uint64_t writer_progress(struct writer_control *control) {
    return __atomic_load_n(&control->progress, __ATOMIC_RELAXED);
}

#endif
