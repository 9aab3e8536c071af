// Handlers for the processor's exceptions. Guests expect none: each handler
// reports what happened and ends the guest with value 2.

#pragma once

enum { EXCEPTION_COUNT = 32 };

// The handlers' addresses by vector, for the interrupt table.
extern const void *const exception_handlers[EXCEPTION_COUNT];
