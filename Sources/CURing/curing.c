#include "curing.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

const unsigned CURING_OP_SENDMSG = IORING_OP_SENDMSG;
const unsigned CURING_OP_RECV = IORING_OP_RECV;
const unsigned CURING_OP_READ = IORING_OP_READ;
const unsigned CURING_OP_WRITEV = IORING_OP_WRITEV;
const unsigned CURING_OP_POLL_ADD = IORING_OP_POLL_ADD;
const unsigned CURING_OP_ASYNC_CANCEL = IORING_OP_ASYNC_CANCEL;
const unsigned CURING_FEAT_EXT_ARG = IORING_FEAT_EXT_ARG;
const unsigned CURING_FEAT_NODROP = IORING_FEAT_NODROP;
const unsigned CURING_FEAT_SUBMIT_STABLE = IORING_FEAT_SUBMIT_STABLE;
const unsigned CURING_FEAT_RW_CUR_POS = IORING_FEAT_RW_CUR_POS;

struct curing {
    struct io_uring ring;
    struct io_uring_sqe *last;
};

int curing_create(curing **ring, unsigned entries) {
    curing *made = calloc(1, sizeof *made);
    if (!made) return -ENOMEM;
    int result = io_uring_queue_init(entries, &made->ring, 0);
    if (result < 0) {
        free(made);
        return result;
    }
    *ring = made;
    return 0;
}

void curing_destroy(curing *ring) {
    io_uring_queue_exit(&ring->ring);
    free(ring);
}

unsigned curing_features(const curing *ring) { return ring->ring.features; }

uint64_t curing_operations(curing *ring) {
    struct io_uring_probe *probe = io_uring_get_probe_ring(&ring->ring);
    if (!probe) return 0;
    uint64_t operations = 0;
    for (int operation = 0; operation < 64; operation++)
        if (io_uring_opcode_supported(probe, operation)) operations |= UINT64_C(1) << operation;
    io_uring_free_probe(probe);
    return operations;
}

/* The tag goes last: preparing clears it in some editions of liburing. */
#define PREPARE(prepare, ...)                                     \
    do {                                                          \
        struct io_uring_sqe *entry = io_uring_get_sqe(&ring->ring); \
        if (!entry) return -EBUSY;                                \
        prepare(entry, __VA_ARGS__);                              \
        io_uring_sqe_set_data64(entry, tag);                      \
        ring->last = entry;                                       \
        return 0;                                                 \
    } while (0)

/* The position that stands for that of the file. */
#define CURRENT_POSITION ((__u64)-1)

int curing_prepare_sendmsg(curing *ring, uint64_t tag, int fd, const struct msghdr *message, int flags) {
    PREPARE(io_uring_prep_sendmsg, fd, message, (unsigned)flags);
}

int curing_prepare_recv(curing *ring, uint64_t tag, int fd, void *room, size_t count) {
    PREPARE(io_uring_prep_recv, fd, room, count, 0);
}

int curing_prepare_writev(curing *ring, uint64_t tag, int fd, const struct iovec *pieces, unsigned count) {
    PREPARE(io_uring_prep_writev, fd, pieces, count, CURRENT_POSITION);
}

int curing_prepare_read(curing *ring, uint64_t tag, int fd, void *room, unsigned count) {
    PREPARE(io_uring_prep_read, fd, room, count, CURRENT_POSITION);
}

int curing_prepare_poll(curing *ring, uint64_t tag, int fd, unsigned events) {
    PREPARE(io_uring_prep_poll_add, fd, events);
}

int curing_prepare_cancel(curing *ring, uint64_t tag, uint64_t other) {
    PREPARE(io_uring_prep_cancel64, other, 0);
}

void curing_retract(curing *ring, uint64_t tag) {
    io_uring_prep_nop(ring->last);
    io_uring_sqe_set_data64(ring->last, tag);
}

int curing_submit(curing *ring) { return io_uring_submit(&ring->ring); }

int curing_wait(curing *ring, int64_t nanoseconds) {
    struct io_uring_cqe *completion;
    if (nanoseconds < 0) return io_uring_wait_cqe(&ring->ring, &completion);
    struct __kernel_timespec time = {.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
    return io_uring_wait_cqe_timeout(&ring->ring, &completion, &time);
}

bool curing_take(curing *ring, uint64_t *tag, int32_t *result) {
    struct io_uring_cqe *completion;
    if (io_uring_peek_cqe(&ring->ring, &completion) != 0) return false;
    *tag = completion->user_data;
    *result = completion->res;
    io_uring_cqe_seen(&ring->ring, completion);
    return true;
}
