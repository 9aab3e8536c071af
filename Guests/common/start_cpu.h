// The start of the CPUs that the monitor leaves to the guest, one at a time.

#pragma once

#include <stdbool.h>
#include <stdint.h>

// To be called once, before the first start. It needs a stack and page tables
// of the guest's own, which map the first 2 MiB, all that the started CPUs use,
// and the local APIC; and it overwrites what the monitor put below 1 MiB.
void prepare_cpu_starts(void);

// Starts a CPU by INIT and STARTUP interrupts: it calls `function`, which does
// not return, in ring 0 with interrupts off and with the page tables of the
// caller. Returns when the CPU has called report_cpu_start(); false if it did
// not within a second.
bool start_cpu(uint32_t apic_id, void *stack_top, void (*function)(void *argument),
               void *argument, uint64_t tsc_khz);

void report_cpu_start(void);
