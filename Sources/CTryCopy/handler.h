/* The parts of the signal handlers, to one another. */
#ifndef CTRYCOPY_HANDLER_H
#define CTRYCOPY_HANDLER_H

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <ucontext.h>

/* An action that ours replaced. */
struct ctrycopy_earlier {
    struct sigaction action;
    /* SA_RESETHAND, and its one call was made. */
    atomic_bool is_spent;
};

/*
 * Whether the signal is a fault of an accessor on its guarded operand. If so the context is changed to return from the
 * accessor with the fault as its result.
 */
bool ctrycopy_recover_fault(int signal, const siginfo_t *info, ucontext_t *context);

/* Does with a signal what the kernel would have done had the earlier action been in force. */
void ctrycopy_pass_on(struct ctrycopy_earlier *earlier, int signal, siginfo_t *info, void *context);

/*
 * Whether the signal comes from the interrupted instruction, rather than from kill(2) and kin or from a memory error
 * that the kernel found by itself.
 */
static inline bool ctrycopy_is_synchronous(int signal, const siginfo_t *info) {
    return info->si_code > 0 && !(signal == SIGBUS && info->si_code == BUS_MCEERR_AO);
}

#endif
