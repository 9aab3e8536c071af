// The byte EOT on the serial port, which asks the guest to come to its end.

#pragma once

#include <stdbool.h>
#include <stdint.h>

// Sets up the serial port for input, and for output in bursts.
void start_input(uint64_t tsc_khz);

// Whether EOT has been received. Input of any other kind is thrown away. A look
// at the port is an exit to the monitor, so it is taken every 10 ms at most.
bool end_was_requested(void);
