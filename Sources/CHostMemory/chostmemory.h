/*
 * The calls about host memory that Swift's Glibc module leaves out: they are declared for _GNU_SOURCE only, and there
 * is no setting that in a module already built. Hence the bare system calls. Sources: memfd_create(2), fallocate(2),
 * fcntl_seal(2), mremap(2), statfs(2).
 */
#ifndef CHOSTMEMORY_H
#define CHOSTMEMORY_H

#include <errno.h>
#include <linux/falloc.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 6.3. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define CHOSTMEMORY_CONSTANT(type, name, value) static const type CHOSTMEMORY_##name = value
CHOSTMEMORY_CONSTANT(unsigned int, MFD_CLOEXEC, MFD_CLOEXEC);
CHOSTMEMORY_CONSTANT(unsigned int, MFD_ALLOW_SEALING, MFD_ALLOW_SEALING);
CHOSTMEMORY_CONSTANT(unsigned int, MFD_NOEXEC_SEAL, MFD_NOEXEC_SEAL);
CHOSTMEMORY_CONSTANT(unsigned int, MFD_HUGETLB, MFD_HUGETLB);
CHOSTMEMORY_CONSTANT(unsigned int, MFD_HUGE_SHIFT, 26);
CHOSTMEMORY_CONSTANT(int, FALLOC_FL_KEEP_SIZE, FALLOC_FL_KEEP_SIZE);
CHOSTMEMORY_CONSTANT(int, FALLOC_FL_PUNCH_HOLE, FALLOC_FL_PUNCH_HOLE);
/* Kernel ABI; linux/fcntl.h has them, but cannot stand beside fcntl.h. */
CHOSTMEMORY_CONSTANT(int, O_PATH, 010000000);
CHOSTMEMORY_CONSTANT(int, F_ADD_SEALS, 1024 + 9);
CHOSTMEMORY_CONSTANT(int, F_SEAL_SEAL, 0x0001);
CHOSTMEMORY_CONSTANT(int, F_SEAL_SHRINK, 0x0002);
/* Kernel ABI, too; linux/mman.h cannot stand beside sys/mman.h. Linux 5.7 has the last. */
CHOSTMEMORY_CONSTANT(int, MREMAP_MAYMOVE, 1);
CHOSTMEMORY_CONSTANT(int, MREMAP_FIXED, 2);
CHOSTMEMORY_CONSTANT(int, MREMAP_DONTUNMAP, 4);
#undef CHOSTMEMORY_CONSTANT

/* ---- system calls: the result, or the negated errno ---- */

static inline int chostmemory_memfd_create(const char *name, unsigned int flags) {
    long result = syscall(SYS_memfd_create, name, flags);
    return result < 0 ? -errno : (int)result;
}

static inline int chostmemory_fallocate(int fd, int mode, int64_t offset, int64_t length) {
    return syscall(SYS_fallocate, fd, mode, offset, length) < 0 ? -errno : 0;
}

static inline int chostmemory_mremap(
    void *address, size_t length, size_t new_length, int flags, void *new_address) {
    return syscall(SYS_mremap, address, length, new_length, flags, new_address) == -1 ? -errno : 0;
}

/* The page size in bytes of a file on hugetlbfs, 0 for any other. */
static inline int64_t chostmemory_huge_page_size(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) < 0) return -errno;
    return status.f_type == HUGETLBFS_MAGIC ? (int64_t)status.f_bsize : 0;
}

#endif
