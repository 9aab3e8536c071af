/*
 * What Swift's Glibc module leaves out of the calls about sockets, files and waiting: it is declared for _GNU_SOURCE
 * only, or in headers that the module does not have. Sources: accept4(2), eventfd(2), open(2).
 */
#ifndef CTRANSPORT_H
#define CTRANSPORT_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Kernel ABI on x86-64 and arm64 alike, but for O_DIRECTORY, which the first goes with. */
static const int CTRANSPORT_O_TMPFILE = 020000000;
static const int CTRANSPORT_CLOEXEC = 02000000;
static const int CTRANSPORT_NONBLOCK = 04000;

/* ---- system calls: the result, or the negated errno ---- */

static inline int ctransport_accept(int listener) {
    long result = syscall(SYS_accept4, listener, NULL, NULL, CTRANSPORT_CLOEXEC);
    return result < 0 ? -errno : (int)result;
}

static inline int ctransport_eventfd(void) {
    long result = syscall(SYS_eventfd2, 0, CTRANSPORT_CLOEXEC | CTRANSPORT_NONBLOCK);
    return result < 0 ? -errno : (int)result;
}

#endif
