// The local APIC: the interrupt controller inside each CPU.

#pragma once

#include <stdbool.h>
#include <stdint.h>

#define LOCAL_APIC_BASE 0xfee00000ull

enum local_apic_register {
    LOCAL_APIC_ID = 0x20,
    LOCAL_APIC_VERSION = 0x30,
    LOCAL_APIC_END_OF_INTERRUPT = 0xb0,
    LOCAL_APIC_SPURIOUS_VECTOR = 0xf0,
    LOCAL_APIC_COMMAND_LOW = 0x300,
    LOCAL_APIC_COMMAND_HIGH = 0x310,
    LOCAL_APIC_TIMER = 0x320,
    LOCAL_APIC_PIN_0 = 0x350,
    LOCAL_APIC_TIMER_INITIAL_COUNT = 0x380,
    LOCAL_APIC_TIMER_DIVISOR = 0x3e0,
};

static inline uint32_t local_apic_read(enum local_apic_register name)
{
    return *(volatile uint32_t *)(LOCAL_APIC_BASE + name);
}

static inline void local_apic_write(enum local_apic_register name, uint32_t value)
{
    *(volatile uint32_t *)(LOCAL_APIC_BASE + name) = value;
}

static inline uint32_t local_apic_id(void)
{
    return local_apic_read(LOCAL_APIC_ID) >> 24;
}

// Whether this machine has a local APIC. CPUID should say so, but is not
// enough: without a local APIC in its kernel part, KVM shows the bit for as
// long as the APIC base register says enabled, as it does after a reset.
static inline bool has_local_apic(void)
{
    uint32_t eax = 1, ebx, ecx = 0, edx;
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (!(edx >> 9 & 1)) {
        return false;
    }
    uint32_t version = local_apic_read(LOCAL_APIC_VERSION);
    return version != 0 && version != UINT32_MAX;
}

// Lets interrupts through, except those of the old 8259 controllers, which
// arrive at pin 0: their vectors are not set up.
static inline void local_apic_enable(void)
{
    local_apic_write(LOCAL_APIC_PIN_0, 1u << 16);                // masked
    local_apic_write(LOCAL_APIC_SPURIOUS_VECTOR, 1u << 8 | 0xff); // enabled
}

static inline void local_apic_end_interrupt(void)
{
    local_apic_write(LOCAL_APIC_END_OF_INTERRUPT, 0);
}
