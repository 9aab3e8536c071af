/*
 * An io_uring, through liburing. Its own header cannot be imported beside swift-system, which has the kernel's structures
 * from another edition of the same header; hence an opaque type. Sources: io_uring(7), io_uring_enter(2).
 *
 * A ring is used by one thread at a time. Results are negated errnos where they are negative.
 */
#ifndef CURING_H
#define CURING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

typedef struct curing curing;

/* Numbers of operations, and bits of features. */
extern const unsigned CURING_OP_SENDMSG, CURING_OP_RECV, CURING_OP_READ, CURING_OP_WRITEV, CURING_OP_POLL_ADD,
    CURING_OP_ASYNC_CANCEL;
extern const unsigned CURING_FEAT_EXT_ARG, CURING_FEAT_NODROP, CURING_FEAT_SUBMIT_STABLE, CURING_FEAT_RW_CUR_POS;

int curing_create(curing **ring, unsigned entries);
void curing_destroy(curing *ring);

unsigned curing_features(const curing *ring);
/* Bit N stands for operation N. 0 where the kernel does not say which it has. */
uint64_t curing_operations(curing *ring);

/* Prepare an entry: 0, or -EBUSY where the queue is full. The tag comes back with its completion. */
int curing_prepare_sendmsg(curing *ring, uint64_t tag, int fd, const struct msghdr *message, int flags);
int curing_prepare_recv(curing *ring, uint64_t tag, int fd, void *room, size_t count);
/* At the position of the file. */
int curing_prepare_writev(curing *ring, uint64_t tag, int fd, const struct iovec *pieces, unsigned count);
int curing_prepare_read(curing *ring, uint64_t tag, int fd, void *room, unsigned count);
int curing_prepare_poll(curing *ring, uint64_t tag, int fd, unsigned events);
/* Cancels the entry with the other tag. */
int curing_prepare_cancel(curing *ring, uint64_t tag, uint64_t other);
/* Makes the entry prepared last one that does nothing: it was not submitted, and stays in the queue. */
void curing_retract(curing *ring, uint64_t tag);

/* How many entries were submitted. */
int curing_submit(curing *ring);
/* Waits until there is a completion: 0, -ETIME or -EINTR. For ever where the time is negative. */
int curing_wait(curing *ring, int64_t nanoseconds);
/* Takes a completion if there is one. */
bool curing_take(curing *ring, uint64_t *tag, int32_t *result);

#endif
