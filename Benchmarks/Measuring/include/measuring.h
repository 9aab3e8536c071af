/* What neither Swift nor plain C has for a measurement: values the compiler knows nothing of, and CPUs to run on. */
#ifndef MEASURING_H
#define MEASURING_H

#include <stdint.h>

/*
 * `value`, about which the compiler can conclude nothing. It goes through memory, as with the `black_box` of Rust, so
 * that it costs the same in programs that are compared: a store and a load that nothing waits for.
 */
static inline uint64_t measuring_opaque(uint64_t value) {
    __asm__ volatile("" : "+m"(value) : : "memory");
    return value;
}

/* Uses `value`, so that it must have been computed, and whatever is in memory, so that it must have been stored. */
static inline void measuring_consume(uint64_t value) { __asm__ volatile("" : : "m"(value) : "memory"); }

/* Tells the processor that this is a loop that waits. */
static inline void measuring_pause(void) { __asm__ volatile("pause" : : : "memory"); }

/* The CPUs that this thread may run on, ascending, as many as there is room for. Returns their number. */
int measuring_allowed_cpus(int *cpus, int capacity);

/* Makes this thread, and those that it starts from now on, run on one CPU. Returns 0, or an errno. */
int measuring_pin(int cpu);

/* Makes this thread, and those that it starts from now on, run on some. Returns 0, or an errno. */
int measuring_allow(const int *cpus, int count);

#endif
