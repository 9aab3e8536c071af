// What the guest prints about its work. CPUs can report at the same time:
// their lines do not mix.

#pragma once

#include <stdbool.h>
#include <stdint.h>

// Without a check all that is known is that the pass was written.
void report_pass(uint64_t pass, bool was_checked);

// Prints what is wrong and ends the guest with value 1.
_Noreturn void report_corruption(uint64_t address, uint64_t expected, uint64_t found);

// Prints the last line and powers the machine off.
_Noreturn void report_success(uint64_t passes);
