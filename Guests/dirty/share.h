// One CPU's share of the working set, and the passes over it in the order of
// a pattern. Its pages are numbered from 0.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "throttle.h"

struct share {
    uint64_t first_offset; // in RAM, of the first page
    uint64_t page_count;   // not zero
    enum pattern pattern;
    bool checks; // in passes
    struct throttle throttle;
};

// Lays out the share with this number among those of all CPUs: they follow one
// another, and the first ones have a page more where the division leaves some.
void lay_out_share(struct share *share, const struct options *options, uint64_t number);

// Fills the pages, which from then on have the stamp of pass 0.
void fill_share(const struct share *share);

// Has passes keep to this CPU's part of the rate from now on.
void throttle_share(struct share *share, const struct options *options, uint64_t tsc_khz);

// Stamps the pages whose turn it is in this pass, which are numbered from 1.
// If the share checks in passes, every page is checked.
void make_pass(struct share *share, uint64_t pass);

// Checks all words of all pages, after `passes` passes.
void check_share(const struct share *share, uint64_t passes);
