/*
 * Loads, stores, compare-exchanges, copies and fills that report a fault instead of dying.
 *
 * The memory they guard is memory that may vanish or refuse an access at any time: a mapping of a file that somebody
 * truncates, a reservation with holes, pages protected on purpose. All of them are leaf functions in one piece of
 * assembly (accessors.S). A SIGSEGV or SIGBUS whose interrupted instruction lies there, and whose address lies in the
 * guarded operand, makes the function return that fault; every other goes to the handler that was in force before.
 *
 * - Call `ctrycopy_install` before the first access; without it a fault kills the process, as it does in plain code.
 * - Any number of threads may call anything here at once, on the same memory too.
 * - A thread that blocks SIGSEGV or SIGBUS is killed by its first fault: the kernel delivers no blocked synchronous
 *   signal.
 * - x86-64 Linux only.
 */
#ifndef CTRYCOPY_H
#define CTRYCOPY_H

#if !defined(__x86_64__) || !defined(__linux__)
#error "CTryCopy is written for x86-64 Linux: its accessors are assembly and its handler edits the kernel's signal frame"
#endif

#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

/* What an access came to. Returned in two registers. */
struct ctrycopy_result {
    /*
     * Without a fault: the value loaded or found, zero-extended; 0 from stores, copies and fills.
     * With one: the host address that could not be accessed. It is the lowest inaccessible byte of the operand, unless
     * a copy's operands overlap: then it is one of them.
     */
    uint64_t value;
    /* 0, or what the fault raised: SIGSEGV (not mapped, or protected), SIGBUS (nothing behind the mapping). */
    int32_t signal;
    /*
     * The signal's si_code: SEGV_MAPERR, SEGV_ACCERR, BUS_ADRERR (past the end of a file), BUS_MCEERR_AR (memory
     * error), BUS_ADRALN (a forbidden lock across cache lines); SI_KERNEL for an address that is not canonical.
     */
    int32_t code;
};

/*
 * Makes the handlers of SIGSEGV and SIGBUS ours and keeps the actions they replace, to which every fault that is not
 * ours is passed on. Does nothing where ours are in force. Where another handler was installed over ours, ours is put
 * in front again and that one comes next; it may itself pass on to what it replaced.
 *
 * Nothing watches over the order. Whoever installs a handler after ours is in front of ours: from then on a fault reaches
 * us only if that handler passes it on, and kills, or is dealt with by it, if not. So it is with crash reporters and
 * language runtimes that are started late, and with sanitizers. Install again after them.
 *
 * What is passed on arrives as the kernel would have delivered it: SA_SIGINFO, sa_mask, SA_NODEFER and SA_RESETHAND are
 * honoured; a default or (for a fault) ignored action kills with that signal, address and code.
 *
 * Returns 0, or an errno: ENOSPC when ours was put in front again too often (8 times); what sigaction(2) says, as where
 * a seccomp filter refuses it. Where ours are not in front then, the accessors work as plain code does: without a
 * fault all is well, and a fault goes to whatever handler there is.
 * Any thread, any time; do not race it with other code that sets these two actions.
 */
int ctrycopy_install(void);

/*
 * The accessors of single values change no register but those they return in. `preserve_most` tells the compiler so, but
 * only one that compiles C: Swift calls them through these functions, which are compiled as a part of its own.
 */
#define CTRYCOPY_SCALAR(name, parameters, arguments) \
    struct ctrycopy_result name##_accessor parameters __attribute__((preserve_most)); \
    static inline struct ctrycopy_result name parameters { return name##_accessor arguments; }

/*
 * One load of 1, 2, 4 or 8 bytes. It never tears if the address is aligned; it has acquire ordering.
 */
CTRYCOPY_SCALAR(ctrycopy_load_1, (const void *source), (source))
CTRYCOPY_SCALAR(ctrycopy_load_2, (const void *source), (source))
CTRYCOPY_SCALAR(ctrycopy_load_4, (const void *source), (source))
CTRYCOPY_SCALAR(ctrycopy_load_8, (const void *source), (source))

/*
 * One store of 1, 2, 4 or 8 bytes. It never tears if the address is aligned; it has release ordering.
 */
CTRYCOPY_SCALAR(ctrycopy_store_1, (void *destination, uint8_t value), (destination, value))
CTRYCOPY_SCALAR(ctrycopy_store_2, (void *destination, uint16_t value), (destination, value))
CTRYCOPY_SCALAR(ctrycopy_store_4, (void *destination, uint32_t value), (destination, value))
CTRYCOPY_SCALAR(ctrycopy_store_8, (void *destination, uint64_t value), (destination, value))

/*
 * One locked compare-exchange, sequentially consistent: stores `desired` if `expected` is found. `value` is what was
 * found, so the exchange took place exactly when there is no fault and `value == expected`. The memory must be writable
 * even where nothing is exchanged. Align the address: a lock across two cache lines is slow, and some hosts forbid it.
 */
CTRYCOPY_SCALAR(ctrycopy_compare_exchange_1, (void *destination, uint8_t expected, uint8_t desired), (destination, expected, desired))
CTRYCOPY_SCALAR(ctrycopy_compare_exchange_2, (void *destination, uint16_t expected, uint16_t desired), (destination, expected, desired))
CTRYCOPY_SCALAR(ctrycopy_compare_exchange_4, (void *destination, uint32_t expected, uint32_t desired), (destination, expected, desired))
CTRYCOPY_SCALAR(ctrycopy_compare_exchange_8, (void *destination, uint64_t expected, uint64_t desired), (destination, expected, desired))

#undef CTRYCOPY_SCALAR

/*
 * Copies of `count` bytes; 0 touches nothing. Operands may overlap. A count of exactly 1, 2, 4 or 8 is one load and one
 * store, so it does not tear where both addresses are aligned. After a fault, part of the destination may be written.
 *
 * The guarded operand is the source of `copy_in` and the destination of `copy_out`. A fault on the local operand is a
 * mistake of the caller's and goes to the earlier handler.
 */
struct ctrycopy_result ctrycopy_copy_in(void *local, const void *source, size_t count);
struct ctrycopy_result ctrycopy_copy_out(void *destination, const void *local, size_t count);

/*
 * Sets `count` bytes; 0 touches nothing. A count of exactly 1, 2, 4 or 8 is one store. After a fault, the bytes below
 * the reported address may be set.
 */
struct ctrycopy_result ctrycopy_fill(void *destination, uint8_t byte, size_t count);

#pragma clang assume_nonnull end

#endif
