// writer: writes to the pages that a benchmark lists, as often and as fast as it is told.
//
// All of that happens in ring 3, at full speed also on KVM hosts that emulate ring 0, and without an exit to the monitor
// but for a store to the doorbell at the end of each order. Besides the pages it dirties the one of its control words.

#include "../../Baseline/include/writer.h"

#include "cpu.h"
#include "descriptors.h"
#include "paging.h"

#include <stddef.h>

enum {
    FRACTION_BITS = 16, // of counts of the time-stamp counter

    // What a writer that fell behind may catch up on at once.
    LARGEST_BURST_MS = 10,
};

static uint64_t tsc_khz;

static struct writer_control *control(void)
{
    return (struct writer_control *)WRITER_CONTROL;
}

static bool is_stopped(uint64_t order)
{
    return __atomic_load_n(&control()->stop, __ATOMIC_RELAXED) == order;
}

// Waits until the counter, with its fraction, has reached `*next`. Both wrap around.
static void wait(uint64_t *next, uint64_t order)
{
    uint64_t burst = tsc_khz * LARGEST_BURST_MS << FRACTION_BITS;
    uint64_t now = read_tsc() << FRACTION_BITS;
    if ((int64_t)(now - *next) > (int64_t)burst) {
        *next = now - burst;
    }
    while ((int64_t)(now - *next) < 0 && !is_stopped(order)) {
        pause();
        now = read_tsc() << FRACTION_BITS;
    }
}

static void carry_out(uint64_t order)
{
    const uint32_t *pages = (const uint32_t *)WRITER_PAGES;
    uint64_t count = control()->page_count;
    uint64_t rate = control()->rate;
    bool is_endless = control()->is_endless;
    uint64_t cost = rate == 0 ? 0 : (tsc_khz * 1000 * PAGE_SIZE << FRACTION_BITS) / rate;
    uint64_t next = read_tsc() << FRACTION_BITS;
    uint64_t progress = control()->progress;

    do {
        for (uint64_t i = 0; i < count && !is_stopped(order); i++) {
            if (cost != 0) {
                wait(&next, order);
                next += cost;
            }
            *(volatile uint64_t *)((uint64_t)pages[i] * PAGE_SIZE) = ++progress;
            __atomic_store_n(&control()->progress, progress, __ATOMIC_RELAXED);
        }
    } while (is_endless && !is_stopped(order));
}

static void work(void *argument)
{
    uint64_t order = 0;
    (void)argument;
    for (;;) {
        while (__atomic_load_n(&control()->order, __ATOMIC_ACQUIRE) == order) {
            pause();
        }
        order = control()->order;
        carry_out(order);
        __atomic_store_n(&control()->done, order, __ATOMIC_RELEASE);
        *(volatile uint32_t *)WRITER_DOORBELL = 0;
    }
}

void guest_main(const char *command_line, uint64_t memory_size, uint64_t cpu_count, uint64_t tsc_frequency)
{
    (void)command_line;
    (void)cpu_count;
    tsc_khz = tsc_frequency;
    load_descriptor_tables(&boot_processor);
    map_range(0, memory_size, USER_MEMORY);
    map_range(WRITER_DOORBELL, WRITER_DOORBELL + PAGE_SIZE, USER_MEMORY);
    load_page_tables();
    enter_user_mode(&boot_processor, work, NULL);
}
