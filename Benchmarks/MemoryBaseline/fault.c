#define _GNU_SOURCE

#include "memory_baseline.h"

#include "measuring.h"

#include <setjmp.h>
#include <signal.h>

static _Thread_local sigjmp_buf resume;

static void handle(int signal) { siglongjmp(resume, signal); }

uint64_t baseline_fault(const void *address, uint64_t count) {
    /* The handler is left without returning, so the signal must not stay blocked: no need then to save the mask. */
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_NODEFER};
    struct sigaction earlier[2];
    volatile uint64_t faults = 0;

    sigaction(SIGSEGV, &action, &earlier[0]);
    sigaction(SIGBUS, &action, &earlier[1]);
    for (volatile uint64_t i = 0; i < count; i++) {
        if (sigsetjmp(resume, 0) == 0) {
            measuring_consume(*(const volatile uint8_t *)address);
        } else {
            faults++;
        }
    }
    sigaction(SIGSEGV, &earlier[0], NULL);
    sigaction(SIGBUS, &earlier[1], NULL);
    return faults;
}
