// Single instructions of the processor, as functions.

#pragma once

#include <stdint.h>

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

enum {
    // Where the monitor does not know the TSC's frequency, a high guess makes
    // waits longer than asked for, never shorter.
    TSC_KHZ_GUESS = 6000000,
};

static inline uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static inline uint64_t read_cr2(void)
{
    uint64_t value;
    __asm__ volatile("mov %%cr2, %0" : "=r"(value));
    return value;
}

static inline void write_cr3(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr3" : : "r"(value) : "memory");
}

// Tells the processor that it is in a waiting loop.
static inline void pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

// Sleeps until the next interrupt has been handled. Called with interrupts
// off, and returns with interrupts off: whatever the caller found out before
// the call still holds when the processor goes to sleep, because `sti` lets
// interrupts in only after the instruction that follows it.
static inline void sleep_until_interrupt(void)
{
    __asm__ volatile("sti; hlt; cli" : : : "memory");
}
