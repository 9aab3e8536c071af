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

enum { IO_PORT_COUNT = 65536 };

// The task state segment: where the stack is that exceptions in user mode
// switch to, and which I/O ports user mode may use.
struct task_state {
    uint32_t reserved_0;
    uint64_t ring_stacks[3];
    uint64_t reserved_1;
    uint64_t interrupt_stacks[7];
    uint64_t reserved_2;
    uint16_t reserved_3;
    uint16_t port_bitmap_offset;
    uint8_t port_bitmap[IO_PORT_COUNT / 8]; // a zero bit opens a port
    uint8_t port_bitmap_end;                // the processor wants ones here
} __attribute__((packed));

// A function declared with this attribute may handle an interrupt or an
// exception without an error code.
#define INTERRUPT_HANDLER __attribute__((interrupt))
typedef void interrupt_handler(struct interrupt_frame *frame);

// What each CPU needs of its own to handle exceptions and to run user mode.
// All zero before its tables are loaded.
struct processor {
    uint64_t segments[7];
    struct task_state task_state;
    uint8_t exception_stack[4096] __attribute__((aligned(16)));
    uint8_t user_stack[16384] __attribute__((aligned(16)));
};

// That of the CPU which the monitor starts.
extern struct processor boot_processor;

// Loads a segment table with room for user mode, and an interrupt table
// that reports every exception and ends the guest with value 2. The interrupt
// table is one for all CPUs.
void load_descriptor_tables(struct processor *processor);

// Calls `handler` for interrupts that arrive at `vector`, which is 32 or more.
void handle_interrupt(uint8_t vector, interrupt_handler *handler);

// Loads an interrupt table with one handler: anything else that happens is
// fatal to the machine. It needs no other tables of this file.
void load_only_handler(uint8_t vector, interrupt_handler *handler);

// Calls `function`, which does not return, in ring 3 with interrupts off, a
// stack of its own and all I/O ports open to it. load_descriptor_tables() and
// page tables that let user mode reach the image and `processor` must be in
// place.
_Noreturn void enter_user_mode(struct processor *processor, void (*function)(void *argument),
                               void *argument);
