// The processor's descriptor tables: segments, exceptions and interrupts, and
// the way to user mode.

#pragma once

#include <stdint.h>

// What the processor pushes for an interrupt.
struct interrupt_frame {
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

// A function declared with this attribute may handle an interrupt or an
// exception without an error code.
#define INTERRUPT_HANDLER __attribute__((interrupt))
typedef void interrupt_handler(struct interrupt_frame *frame);

// Loads a segment table with room for user mode, and an interrupt table
// that reports every exception and ends the guest with value 2.
void load_descriptor_tables(void);

// Calls `handler` for interrupts that arrive at `vector`, which is 32 or more.
void handle_interrupt(uint8_t vector, interrupt_handler *handler);

// Loads an interrupt table with one handler: anything else that happens is
// fatal to the machine. It needs no other tables of this file.
void load_only_handler(uint8_t vector, interrupt_handler *handler);

// Calls `function`, which does not return, in ring 3 with interrupts off, a
// stack of its own and all I/O ports open to it. load_descriptor_tables() and
// page tables that let user mode reach the image must be in place.
_Noreturn void enter_user_mode(void (*function)(void));
