#include "descriptors.h"

#include <stddef.h>

#include "cpu.h"
#include "exceptions.h"

enum {
    KERNEL_CODE = 0x08, // these two mean what they mean in the monitor's table,
    KERNEL_DATA = 0x10, // so the segment registers need no reload
    TASK_STATE = 0x18,  // takes two entries
    USER_DATA = 0x28 | 3,
    USER_CODE = 0x30 | 3,
};

struct gate {
    uint16_t address_low;
    uint16_t selector;
    uint8_t interrupt_stack;
    uint8_t attributes;
    uint16_t address_middle;
    uint32_t address_high;
    uint32_t reserved;
};

struct table_register {
    uint16_t limit;
    uint64_t address;
} __attribute__((packed));

struct processor boot_processor;

static struct gate gates[256] __attribute__((aligned(16)));

static void set_gate(uint8_t vector, uint64_t address)
{
    gates[vector] = (struct gate) {
        .address_low = (uint16_t)address,
        .selector = KERNEL_CODE,
        .attributes = 0x8e, // present, ring 0, turns interrupts off
        .address_middle = (uint16_t)(address >> 16),
        .address_high = (uint32_t)(address >> 32),
    };
}

void handle_interrupt(uint8_t vector, interrupt_handler *handler)
{
    set_gate(vector, (uint64_t)handler);
}

static void load_interrupt_table(unsigned gate_count)
{
    struct table_register idt = {
        .limit = (uint16_t)(gate_count * sizeof(struct gate) - 1),
        .address = (uint64_t)gates,
    };
    __asm__ volatile("lidt %0" : : "m"(idt) : "memory");
}

void load_only_handler(uint8_t vector, interrupt_handler *handler)
{
    set_gate(vector, (uint64_t)handler);
    load_interrupt_table(vector + 1u);
}

static void load_segment_table(struct processor *processor)
{
    uint64_t base = (uint64_t)&processor->task_state;
    uint64_t limit = sizeof processor->task_state - 1;
    uint64_t *segments = processor->segments;
    segments[KERNEL_CODE / 8] = 0x00af9b000000ffff; // 64-bit code, ring 0
    segments[KERNEL_DATA / 8] = 0x00cf93000000ffff; // data, ring 0
    segments[TASK_STATE / 8] = limit | (base & 0xffffff) << 16
        | 0x89ull << 40 // present, 64-bit task state
        | (base >> 24 & 0xff) << 56;
    segments[TASK_STATE / 8 + 1] = base >> 32;
    segments[USER_DATA / 8] = 0x00cff3000000ffff; // data, ring 3
    segments[USER_CODE / 8] = 0x00affb000000ffff; // 64-bit code, ring 3

    struct table_register gdt = {sizeof processor->segments - 1, (uint64_t)segments};
    __asm__ volatile("lgdt %0" : : "m"(gdt) : "memory");
}

void load_descriptor_tables(struct processor *processor)
{
    struct task_state *task_state = &processor->task_state;
    uint8_t *stack_top = processor->exception_stack + sizeof processor->exception_stack;
    task_state->ring_stacks[0] = (uint64_t)stack_top;
    task_state->port_bitmap_offset = offsetof(struct task_state, port_bitmap);
    task_state->port_bitmap_end = 0xff;
    load_segment_table(processor);
    __asm__ volatile("ltr %w0" : : "r"(TASK_STATE) : "memory");

    for (unsigned vector = 0; vector < EXCEPTION_COUNT; vector++) {
        set_gate((uint8_t)vector, (uint64_t)exception_handlers[vector]);
    }
    load_interrupt_table(sizeof gates / sizeof gates[0]);
}

void enter_user_mode(struct processor *processor, void (*function)(void *argument), void *argument)
{
    // A zero return address on top, where a C function expects one; it also
    // ends backtraces, and so does a zero frame pointer.
    uint64_t *top = (uint64_t *)(processor->user_stack + sizeof processor->user_stack) - 1;
    *top = 0;
    __asm__ volatile("pushq %[data]\n\t"
                     "pushq %[stack]\n\t"
                     "pushq %[flags]\n\t"
                     "pushq %[code]\n\t"
                     "pushq %[function]\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "iretq"
                     :
                     : [data] "i"(USER_DATA), [stack] "r"(top), [flags] "i"(0x2),
                       [code] "i"(USER_CODE), [function] "r"(function), "D"(argument)
                     : "memory");
    __builtin_unreachable();
}
