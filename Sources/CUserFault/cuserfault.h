/*
 * userfaultfd(2) under names Swift can use: its request numbers are macros that Swift does not see, and its structs have
 * unions without names. Sources: ioctl_userfaultfd(2), the kernel document "userfaultfd".
 */
#ifndef CUSERFAULT_H
#define CUSERFAULT_H

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.1. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif

/* ---- system calls: the result, or the negated errno ---- */

/* Linux 5.11. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

/* A descriptor that serves faults of this program's own instructions alone, which takes no privilege. */
static inline int cuserfault_open_user_mode(void) {
    long result = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
    return result < 0 ? -errno : (int)result;
}

/* A descriptor that serves faults of the kernel too, such as those of KVM. */
static inline int cuserfault_open(void) {
    int flags = O_CLOEXEC | O_NONBLOCK;
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    if (device >= 0) {
        int made = ioctl(device, USERFAULTFD_IOC_NEW, flags);
        int error = errno;
        close(device);
        if (made >= 0) return made;
        errno = error;
    }
    long result = syscall(SYS_userfaultfd, flags);
    return result < 0 ? -errno : (int)result;
}

/* Says which faults are wanted: of anonymous memory, and of that of memfds. */
static inline int cuserfault_begin(int fd) {
    struct uffdio_api api = {.api = UFFD_API, .features = UFFD_FEATURE_MISSING_SHMEM};
    return ioctl(fd, UFFDIO_API, &api) < 0 ? -errno : 0;
}

/* 1 where pages of the range can be put in place, 0 where the kernel cannot do that with memory of its kind. */
static inline int cuserfault_register(int fd, uint64_t start, uint64_t length) {
    struct uffdio_register request = {
        .range = {.start = start, .len = length}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (ioctl(fd, UFFDIO_REGISTER, &request) < 0) return -errno;
    uint64_t needed = (1ull << _UFFDIO_COPY) | (1ull << _UFFDIO_ZEROPAGE) | (1ull << _UFFDIO_WAKE);
    return (request.ioctls & needed) == needed;
}

static inline int cuserfault_unregister(int fd, uint64_t start, uint64_t length) {
    struct uffdio_range range = {.start = start, .len = length};
    return ioctl(fd, UFFDIO_UNREGISTER, &range) < 0 ? -errno : 0;
}

static inline int cuserfault_wake(int fd, uint64_t start, uint64_t length) {
    struct uffdio_range range = {.start = start, .len = length};
    return ioctl(fd, UFFDIO_WAKE, &range) < 0 ? -errno : 0;
}

/* How many bytes are in place before it stopped; *error says why it did, or is 0. */
static inline uint64_t cuserfault_copy(int fd, uint64_t to, const void *from, uint64_t length, int *error) {
    struct uffdio_copy request = {.dst = to, .src = (uint64_t)(uintptr_t)from, .len = length};
    *error = ioctl(fd, UFFDIO_COPY, &request) < 0 ? errno : 0;
    return request.copy > 0 ? (uint64_t)request.copy : 0;
}

static inline uint64_t cuserfault_zero(int fd, uint64_t to, uint64_t length, int *error) {
    struct uffdio_zeropage request = {.range = {.start = to, .len = length}};
    *error = ioctl(fd, UFFDIO_ZEROPAGE, &request) < 0 ? errno : 0;
    return request.zeropage > 0 ? (uint64_t)request.zeropage : 0;
}

/* 1 with the address of a fault, 2 with another event, 0 where there is none now. */
static inline int cuserfault_read(int fd, uint64_t *address) {
    struct uffd_msg message;
    ssize_t count = read(fd, &message, sizeof message);
    if (count < 0) return errno == EAGAIN ? 0 : -errno;
    if (count != (ssize_t)sizeof message) return -EIO;
    if (message.event != UFFD_EVENT_PAGEFAULT) return 2;
    *address = message.arg.pagefault.address;
    return 1;
}

#endif
