#define _GNU_SOURCE
#include "cthreads.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

_Thread_local void *cthreads_reader_slots;
int cthreads_has_membarrier;

__attribute__((constructor)) static void register_membarrier(void) {
    cthreads_has_membarrier = syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}

int cthreads_thread_id(void) { return (int)syscall(SYS_gettid); }

int cthreads_set_signal_mask(pthread_attr_t *attributes, const sigset_t *mask) {
    return pthread_attr_setsigmask_np(attributes, mask);
}

void cthreads_membarrier(void) {
    while (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) != 0) {
        if (errno == ENOMEM) {
            sched_yield();
            continue;
        }
        static const char message[] = "membarrier(2) is refused since the process began: a seccomp filter must allow it\n";
        (void)!write(STDERR_FILENO, message, sizeof message - 1);
        abort();
    }
}
