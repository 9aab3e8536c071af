// What Swift cannot say about threads: a thread-local variable, a compiler barrier, gettid(2), membarrier(2), the signal
// mask that a thread begins with.
#ifndef CTHREADS_H
#define CTHREADS_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>

// The calling thread's reader slots; NULL until it has some. `initial-exec`, because a reader looks at it on every access.
extern _Thread_local void *_Nullable cthreads_reader_slots __attribute__((tls_model("initial-exec")));

static inline void *_Nullable cthreads_get_reader_slots(void) { return cthreads_reader_slots; }
static inline void cthreads_set_reader_slots(void *_Nullable slots) { cthreads_reader_slots = slots; }

// Keeps the compiler, not the processor, from moving memory accesses across it.
static inline void cthreads_compiler_barrier(void) { __asm__ volatile("" ::: "memory"); }

// The kernel's number of the calling thread.
int cthreads_thread_id(void);

// pthread_attr_setsigmask_np(3): which signals the thread does not take, from its first instruction on.
int cthreads_set_signal_mask(pthread_attr_t *_Nonnull attributes, const sigset_t *_Nonnull mask);

// Whether cthreads_membarrier works: not where the kernel is older than 4.14 or a seccomp filter forbids it. Set before
// main, while registering is cheap: in a process of one thread.
extern int cthreads_has_membarrier;

static inline int cthreads_can_membarrier(void) { return cthreads_has_membarrier; }

// Returns once every running thread of this process has executed a full memory barrier. Waits while the kernel is out of
// memory; aborts where it refuses what it promised before main, for then memory that others read would be freed.
void cthreads_membarrier(void);

#endif
