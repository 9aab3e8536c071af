// The passes over the working set, in the order of a pattern.

#pragma once

#include <stdint.h>

#include "options.h"

// Fills the working set, then makes passes: each checks every page and stamps
// those whose turn it is. Returns after the last pass and a check of all words.
void run_passes(const struct options *options, uint64_t tsc_khz);
