#include "throttle.h"

#include "cpu.h"
#include "paging.h"

enum {
    // Credit and cost are counter ticks with 16 bits of fraction: at 10 GB/s a
    // page takes about 1000 ticks, of which a tick is too coarse a part.
    FRACTION_BITS = 16,

    // What a writer that fell behind may catch up on at once.
    LARGEST_BURST_MS = 10,
};

void throttle_start(struct throttle *throttle, uint64_t rate, uint64_t tsc_khz)
{
    *throttle = (struct throttle) {.last = read_tsc()};
    if (rate == 0) {
        return;
    }
    uint64_t ticks_per_second = tsc_khz * 1000;
    throttle->cost = (ticks_per_second * PAGE_SIZE << FRACTION_BITS) / rate;
    throttle->maximum = tsc_khz * LARGEST_BURST_MS << FRACTION_BITS;
    if (throttle->maximum < throttle->cost) {
        throttle->maximum = throttle->cost; // slow rates save up for longer
    }
}

// Adds the time since the last call. A live migration can land on a host whose
// counter is far ahead or behind. Backward steps count as no time, forward
// steps as the largest burst at most, and either way counting goes on from the
// new value.
static void collect_credit(struct throttle *throttle)
{
    uint64_t now = read_tsc();
    uint64_t elapsed = now - throttle->last;
    throttle->last = now;

    if ((int64_t)elapsed < 0) {
        return;
    }
    uint64_t missing = throttle->maximum - throttle->credit;
    if (elapsed > missing >> FRACTION_BITS) {
        throttle->credit = throttle->maximum;
    } else {
        throttle->credit += elapsed << FRACTION_BITS;
    }
}

void throttle_wait(struct throttle *throttle)
{
    if (throttle->cost == 0) {
        return;
    }
    collect_credit(throttle);
    while (throttle->credit < throttle->cost) {
        pause();
        collect_credit(throttle);
    }
    throttle->credit -= throttle->cost;
}
