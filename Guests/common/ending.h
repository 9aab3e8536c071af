// The ways a guest ends.

#pragma once

#include <stdint.h>

// Stops this CPU for good. The machine ends when every CPU has stopped.
_Noreturn void halt(void);

// Powers the machine off, which ends the monitor with status 0.
_Noreturn void power_off(void);

// Ends the monitor with the status (value << 1) | 1, cut to 8 bits.
_Noreturn void exit_with_value(uint32_t value);
