#include "share.h"

#include "contents.h"
#include "layout.h"

void lay_out_share(struct share *share, const struct options *options, uint64_t number)
{
    uint64_t size = options->page_count / options->cpus;
    uint64_t larger = options->page_count % options->cpus;
    uint64_t first = number * size + (number < larger ? number : larger);
    *share = (struct share) {
        .first_offset = offset_of_address(options->base) + first * PAGE_SIZE,
        .page_count = size + (number < larger),
        .pattern = options->pattern,
        .checks = options->checks,
    };
}

static uint64_t page_address(const struct share *share, uint64_t index)
{
    return address_of_offset(share->first_offset + index * PAGE_SIZE);
}

// Stamps the page for `pass`, and checks it first if the share does so.
// `previous` is the pass that stamped it before.
static void visit(struct share *share, uint64_t index, uint64_t previous, uint64_t pass)
{
    throttle_wait(&share->throttle);
    uint64_t page = page_address(share, index);
    if (share->checks) {
        check_page(page, previous, pass);
    }
    stamp_page(page, pass);
}

// ---- sequential: all pages, ascending.

static void sequential_pass(struct share *share, uint64_t pass)
{
    for (uint64_t index = 0; index < share->page_count; index++) {
        visit(share, index, pass - 1, pass);
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

static void random_pass(struct share *share, uint64_t pass)
{
    unsigned bits = 1;
    while (1ull << bits < share->page_count) {
        bits++;
    }
    uint64_t key = pass * 0xd1342543de82ef95;
    for (uint64_t i = 0; i < share->page_count; i++) {
        // Numbers beyond the set are shuffled on until they fall into it. That
        // keeps the mapping one to one, now of the numbers below the count.
        uint64_t index = i;
        do {
            index = shuffle(index, key, bits);
        } while (index >= share->page_count);
        visit(share, index, pass - 1, pass);
    }
}

// ---- hot: nine of ten writes go to the first tenth of the pages.
//
// Each pass stamps all hot pages. After every ninth of these writes one goes
// to a cold page; the cold pages take turns, from pass to pass. Numbering the
// cold writes from 0, write w follows hot write 9 * (w + 1), counted from 1.

enum { HOT_WRITES_PER_COLD_WRITE = 9 };

static uint64_t hot_count(const struct share *share)
{
    return share->page_count < 10 ? 1 : share->page_count / 10;
}

// The pass that makes a cold write.
static uint64_t pass_of_cold_write(const struct share *share, uint64_t write)
{
    uint64_t hot_writes_before = HOT_WRITES_PER_COLD_WRITE * (write + 1) - 1;
    return hot_writes_before / hot_count(share) + 1;
}

// The pass that stamped a cold page last (0: none did), when `writes` cold
// writes have been made.
static uint64_t last_cold_stamp(const struct share *share, uint64_t cold_index,
                                uint64_t writes)
{
    uint64_t cold_count = share->page_count - hot_count(share);
    if (writes <= cold_index) {
        return 0;
    }
    uint64_t rounds = (writes - 1 - cold_index) / cold_count;
    return pass_of_cold_write(share, rounds * cold_count + cold_index);
}

static uint64_t cold_writes_after(const struct share *share, uint64_t pass)
{
    return pass * hot_count(share) / HOT_WRITES_PER_COLD_WRITE;
}

static void hot_pass(struct share *share, uint64_t pass)
{
    uint64_t hot = hot_count(share);
    uint64_t cold = share->page_count - hot;
    uint64_t hot_writes = (pass - 1) * hot;
    uint64_t cold_writes = cold_writes_after(share, pass - 1);

    // Most cold pages are not written to in this pass, so look at all here.
    for (uint64_t i = 0; i < cold && share->checks; i++) {
        check_page(page_address(share, hot + i), last_cold_stamp(share, i, cold_writes), pass);
    }
    for (uint64_t index = 0; index < hot; index++) {
        visit(share, index, pass - 1, pass);
        hot_writes++;
        if (hot_writes % HOT_WRITES_PER_COLD_WRITE == 0 && cold > 0) {
            uint64_t cold_index = cold_writes % cold;
            visit(share, hot + cold_index, last_cold_stamp(share, cold_index, cold_writes), pass);
            cold_writes++;
        }
    }
}

// ---- All patterns.

static uint64_t last_stamp(const struct share *share, uint64_t index, uint64_t passes)
{
    uint64_t hot = hot_count(share);
    if (share->pattern == HOT && index >= hot) {
        return last_cold_stamp(share, index - hot, cold_writes_after(share, passes));
    }
    return passes;
}

void fill_share(const struct share *share)
{
    for (uint64_t index = 0; index < share->page_count; index++) {
        fill_page(page_address(share, index));
    }
}

void throttle_share(struct share *share, const struct options *options, uint64_t tsc_khz)
{
    uint64_t rate = options->rate / options->cpus;
    if (rate == 0 && options->rate != 0) {
        rate = 1; // zero would be no limit
    }
    throttle_start(&share->throttle, rate, tsc_khz);
}

void make_pass(struct share *share, uint64_t pass)
{
    switch (share->pattern) {
    case SEQUENTIAL: sequential_pass(share, pass); break;
    case RANDOM: random_pass(share, pass); break;
    case HOT: hot_pass(share, pass); break;
    }
}

void check_share(const struct share *share, uint64_t passes)
{
    for (uint64_t index = 0; index < share->page_count; index++) {
        check_whole_page(page_address(share, index), last_stamp(share, index, passes));
    }
}
