/* Installing the handlers, and what each passes on to. */
#define _GNU_SOURCE

#include "handler.h"
#include "ctrycopy.h"
#include "ctrycopy_vectors.h"

#include <errno.h>
#include <pthread.h>

/* Read by accessors.S, which is right with either value. */
__attribute__((visibility("hidden"))) _Atomic(uint8_t) ctrycopy_uses_avx2;

/*
 * A handler that was installed over ours may pass on to ours. Were ours, put in front again, to pass on to that one in
 * turn, the two would call each other for ever. So each time ours is put in front it is another function with an
 * earlier action of its own, written once before it is installed: every chain of our handlers leads to older ones.
 */
enum { handler_count = 8, signal_count = 2 };

static const int signals[signal_count] = {SIGSEGV, SIGBUS};
static struct ctrycopy_earlier earlier[handler_count][signal_count];

static void handle(int index, int signal, siginfo_t *info, void *context) {
    if (!ctrycopy_recover_fault(signal, info, context)) {
        ctrycopy_pass_on(&earlier[index][signal == signals[1]], signal, info, context);
    }
}

#define HANDLER(index) \
    static void handle_##index(int signal, siginfo_t *info, void *context) { handle(index, signal, info, context); }
HANDLER(0)
HANDLER(1)
HANDLER(2)
HANDLER(3)
HANDLER(4)
HANDLER(5)
HANDLER(6)
HANDLER(7)
#undef HANDLER

static void (*const handlers[handler_count])(int, siginfo_t *, void *) = {
    handle_0, handle_1, handle_2, handle_3, handle_4, handle_5, handle_6, handle_7,
};

/* Guards what follows, and the order of installing. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int used[signal_count];
static bool has_chosen_vectors;

static bool is_ours(const struct sigaction *action) {
    for (int index = 0; index < handler_count; index++) {
        if ((action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handlers[index]) {
            return true;
        }
    }
    return false;
}

/* Puts the next of our handlers in front of `current`. */
static int install(int which, const struct sigaction *current) {
    int index = used[which];
    bool is_handler = current->sa_handler != SIG_DFL && current->sa_handler != SIG_IGN;
    /* A handler keeps its stack and its effect on system calls, which only the kernel can give it. */
    int kept = is_handler ? current->sa_flags & (SA_ONSTACK | SA_RESTART) : SA_ONSTACK | SA_RESTART;
    struct sigaction action = {.sa_sigaction = handlers[index], .sa_flags = SA_SIGINFO | kept};

    earlier[index][which].action = *current;
    if (sigaction(signals[which], &action, NULL) != 0) {
        return errno;
    }
    used[which] = index + 1;
    return 0;
}

static int install_where_absent(void) {
    struct sigaction current[signal_count];
    bool is_wanted[signal_count];

    for (int which = 0; which < signal_count; which++) {
        if (sigaction(signals[which], NULL, &current[which]) != 0) {
            return errno;
        }
        is_wanted[which] = !is_ours(&current[which]);
        if (is_wanted[which] && used[which] == handler_count) {
            return ENOSPC;
        }
    }
    for (int which = 0; which < signal_count; which++) {
        int error = is_wanted[which] ? install(which, &current[which]) : 0;
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

void ctrycopy_use_avx2(bool is_used) {
    atomic_store_explicit(&ctrycopy_uses_avx2, is_used && __builtin_cpu_supports("avx2"), memory_order_relaxed);
}

int ctrycopy_install(void) {
    pthread_mutex_lock(&lock);
    if (!has_chosen_vectors) {
        has_chosen_vectors = true;
        ctrycopy_use_avx2(true);
    }
    int error = install_where_absent();
    pthread_mutex_unlock(&lock);
    return error;
}
