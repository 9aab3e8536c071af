/* What the files of the baseline share. */
#ifndef MACHINE_H
#define MACHINE_H

#include "baseline.h"

#include <linux/kvm.h>
#include <pthread.h>
#include <sys/ioctl.h>

struct baseline_machine {
    int vm;
    int vcpu;
    struct kvm_run *run;
    size_t run_size;
    uint8_t *memory; /* the guest's, from its address 0 on */
    uint64_t memory_size;
    bool has_irqchip;

    baseline_console *console;
    void *context;
    uint64_t delay_writes; /* to port 0x80; stands for the device that a monitor has there */

    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_ended; /* guarded by `lock` */
    int status;     /* written before `has_ended` is set */

    enum baseline_dirty_method method;
    uint32_t slot; /* the number of the memory's */
    uint64_t *dirty_words; /* of all pages; NULL before the log has begun for the first time */
    struct kvm_dirty_gfn *ring;
    uint32_t ring_size; /* entries; 0 for no ring */
    uint32_t ring_position;
    bool has_store_thread;
    bool is_to_run; /* that thread; guarded by `lock` */
};

/* Gives the VM a ring, which has to be before it has a vCPU. */
void enable_ring(struct baseline_machine *machine);

/* Maps the vCPU's. */
void map_ring(struct baseline_machine *machine);

/* Ends what `dirty.c` has begun. */
void end_dirty(struct baseline_machine *machine);

/* The entry state that loading a guest results in. */
struct entry_state {
    uint64_t rip;
    uint64_t rsp;
    uint64_t command_line; /* guest-physical, as the next two */
    uint64_t gdt;
    uint64_t page_tables;
};

/* Puts the image and what surrounds it into zeroed guest memory. */
struct entry_state load_guest(uint8_t *memory, uint64_t memory_size, const struct baseline_guest *guest);

/* Puts the vCPU at the first instruction, in 64-bit mode. */
void enter_long_mode(int vcpu, const struct entry_state *entry, uint64_t memory_size, uint64_t tsc_kilohertz);

/* ioctl, or the end of the process with the name of the call. */
int checked_ioctl(int descriptor, unsigned long request, unsigned long argument, const char *name);

/* Ends the process with a message. */
_Noreturn void fail(const char *what);

#define KVM_CALL(descriptor, request, argument) \
    checked_ioctl(descriptor, request, (unsigned long)(argument), #request)

#endif
