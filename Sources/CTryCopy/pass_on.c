/* Calling the handlers that were in force before ours. Async-signal-safe throughout. */
#define _GNU_SOURCE

#include "handler.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Restores the default action and queues the signal anew: it arrives as the handler returns, at the interrupted
 * instruction, and kills with the siginfo it came with. Returning alone would do for a fault, unless another thread
 * has mended the mapping meanwhile, and not for a signal that was sent.
 */
static void kill_by_default(int signal, siginfo_t *info) {
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(signal, &action, NULL);
    syscall(SYS_rt_tgsigqueueinfo, getpid(), syscall(SYS_gettid), signal, info);
}

/* Blocks what the kernel would have blocked for this action. Returning from the signal undoes it. */
static void apply_mask(const struct sigaction *action, int signal) {
    sigset_t own;

    sigprocmask(SIG_BLOCK, &action->sa_mask, NULL);
    if ((action->sa_flags & SA_NODEFER) && !sigismember(&action->sa_mask, signal)) {
        sigemptyset(&own);
        sigaddset(&own, signal);
        sigprocmask(SIG_UNBLOCK, &own, NULL);
    }
}

static void deliver(struct ctrycopy_earlier *earlier, int signal, siginfo_t *info, void *context) {
    const struct sigaction *action = &earlier->action;

    /* The kernel kills on a fault that is ignored, since the instruction would fault for ever. */
    if (action->sa_handler == SIG_IGN && !ctrycopy_is_synchronous(signal, info)) {
        return;
    }
    if (action->sa_handler == SIG_DFL || action->sa_handler == SIG_IGN ||
        ((action->sa_flags & (int)SA_RESETHAND) && atomic_exchange(&earlier->is_spent, true))) {
        kill_by_default(signal, info);
        return;
    }
    apply_mask(action, signal);
    if (action->sa_flags & SA_SIGINFO) {
        action->sa_sigaction(signal, info, context);
    } else {
        action->sa_handler(signal);
    }
}

void ctrycopy_pass_on(struct ctrycopy_earlier *earlier, int signal, siginfo_t *info, void *context) {
    int saved = errno;
    deliver(earlier, signal, info, context);
    errno = saved;
}
