#define _GNU_SOURCE

#include "measuring.h"

#include <errno.h>
#include <sched.h>

int measuring_allowed_cpus(int *cpus, int capacity) {
    cpu_set_t set;
    int count = 0;

    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        return 0;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE && count < capacity; cpu++) {
        if (CPU_ISSET(cpu, &set)) {
            cpus[count++] = cpu;
        }
    }
    return count;
}

int measuring_pin(int cpu) { return measuring_allow(&cpu, 1); }

int measuring_allow(const int *cpus, int count) {
    cpu_set_t set;

    CPU_ZERO(&set);
    for (int i = 0; i < count; i++) {
        CPU_SET(cpus[i], &set);
    }
    return sched_setaffinity(0, sizeof set, &set) == 0 ? 0 : errno;
}
