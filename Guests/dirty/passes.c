#include "passes.h"

#include "contents.h"
#include "layout.h"
#include "print.h"
#include "throttle.h"

// The working set: pages are numbered from 0.
static uint64_t first_offset;
static uint64_t page_count;
static struct throttle throttle;

static uint64_t page_address(uint64_t index)
{
    return address_of_offset(first_offset + index * PAGE_SIZE);
}

// Checks the page and stamps it for `pass`. `previous` is the pass that
// stamped it before.
static void visit(uint64_t index, uint64_t previous, uint64_t pass)
{
    throttle_wait(&throttle);
    uint64_t page = page_address(index);
    check_page(page, previous, pass);
    stamp_page(page, pass);
}

// ---- sequential: all pages, ascending.

static void sequential_pass(uint64_t pass)
{
    for (uint64_t index = 0; index < page_count; index++) {
        visit(index, pass - 1, pass);
    }
}

// ---- random: all pages, each pass in an order of its own.

// A one-to-one mapping of the numbers of `bits` bits: each step can be undone.
static uint64_t shuffle(uint64_t number, uint64_t key, unsigned bits)
{
    uint64_t mask = (1ull << bits) - 1;
    unsigned half = (bits + 1) / 2;
    for (unsigned round = 0; round < 3; round++) {
        number = (number + key) & mask;
        number = number * 0x9e3779b97f4a7c15 & mask; // odd, so it can be undone
        number ^= number >> half;
        key = key >> 21 | key << 43;
    }
    return number;
}

static void random_pass(uint64_t pass)
{
    unsigned bits = 1;
    while (1ull << bits < page_count) {
        bits++;
    }
    uint64_t key = pass * 0xd1342543de82ef95;
    for (uint64_t i = 0; i < page_count; i++) {
        // Numbers beyond the set are shuffled on until they fall into it. That
        // keeps the mapping one to one, now of the numbers below page_count.
        uint64_t index = i;
        do {
            index = shuffle(index, key, bits);
        } while (index >= page_count);
        visit(index, pass - 1, pass);
    }
}

// ---- hot: nine of ten writes go to the first tenth of the pages.
//
// Each pass stamps all hot pages. After every ninth of these writes one goes
// to a cold page; the cold pages take turns, from pass to pass. Numbering the
// cold writes from 0, write w follows hot write 9 * (w + 1), counted from 1.

enum { HOT_WRITES_PER_COLD_WRITE = 9 };

static uint64_t hot_count(void)
{
    return page_count < 10 ? 1 : page_count / 10;
}

// The pass that makes a cold write.
static uint64_t pass_of_cold_write(uint64_t write)
{
    uint64_t hot_writes_before = HOT_WRITES_PER_COLD_WRITE * (write + 1) - 1;
    return hot_writes_before / hot_count() + 1;
}

// The pass that stamped a cold page last (0: none did), when `writes` cold
// writes have been made.
static uint64_t last_cold_stamp(uint64_t cold_index, uint64_t writes)
{
    uint64_t cold_count = page_count - hot_count();
    if (writes <= cold_index) {
        return 0;
    }
    uint64_t rounds = (writes - 1 - cold_index) / cold_count;
    return pass_of_cold_write(rounds * cold_count + cold_index);
}

static uint64_t cold_writes_after(uint64_t pass)
{
    return pass * hot_count() / HOT_WRITES_PER_COLD_WRITE;
}

static void hot_pass(uint64_t pass)
{
    uint64_t hot = hot_count();
    uint64_t cold = page_count - hot;
    uint64_t hot_writes = (pass - 1) * hot;
    uint64_t cold_writes = cold_writes_after(pass - 1);

    // Most cold pages are not written to in this pass, so look at all here.
    for (uint64_t i = 0; i < cold; i++) {
        check_page(page_address(hot + i), last_cold_stamp(i, cold_writes), pass);
    }
    for (uint64_t index = 0; index < hot; index++) {
        visit(index, pass - 1, pass);
        hot_writes++;
        if (hot_writes % HOT_WRITES_PER_COLD_WRITE == 0 && cold > 0) {
            uint64_t cold_index = cold_writes % cold;
            visit(hot + cold_index, last_cold_stamp(cold_index, cold_writes), pass);
            cold_writes++;
        }
    }
}

// ---- All patterns.

static uint64_t last_stamp(enum pattern pattern, uint64_t index, uint64_t pass)
{
    if (pattern == HOT && index >= hot_count()) {
        return last_cold_stamp(index - hot_count(), cold_writes_after(pass));
    }
    return pass;
}

void run_passes(const struct options *options, uint64_t tsc_khz)
{
    first_offset = offset_of_address(options->base);
    page_count = options->page_count;
    for (uint64_t index = 0; index < page_count; index++) {
        fill_page(page_address(index));
    }

    throttle_start(&throttle, options->rate, tsc_khz);
    for (uint64_t pass = 1; options->passes == 0 || pass <= options->passes; pass++) {
        switch (options->pattern) {
        case SEQUENTIAL: sequential_pass(pass); break;
        case RANDOM: random_pass(pass); break;
        case HOT: hot_pass(pass); break;
        }
        if (options->report_every != 0 && pass % options->report_every == 0) {
            print("pass ");
            print_decimal(pass);
            print(" ok\n");
        }
    }

    for (uint64_t index = 0; index < page_count; index++) {
        check_whole_page(page_address(index),
                         last_stamp(options->pattern, index, options->passes));
    }
}
