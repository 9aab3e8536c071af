/*
 * The baseline of the benchmarks: a virtual machine monitor in plain C that does what `vmm run` does for one CPU, with
 * the same KVM calls in the same order, the same structures in guest memory and the same threads, and nothing besides.
 *
 * A call that fails ends the process with a message: there is nothing left to measure then.
 */
#ifndef BASELINE_H
#define BASELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct baseline_guest {
    const uint8_t *image; /* a static 64-bit ELF executable, or raw 64-bit code for the address 1 MiB */
    size_t image_size;    /* bytes */
    const char *command_line;
    uint64_t memory_size; /* bytes, at most 3 GiB */
    bool has_irqchip;     /* in the kernel; otherwise there is none */
    uint32_t ring_size;   /* entries of the dirty ring; 0 for none */
};

/* Takes a byte that the guest sent to its serial port, on the vCPU's thread. */
typedef void baseline_console(void *context, uint8_t byte);

struct baseline_machine;

/* Makes the machine and loads its guest. */
struct baseline_machine *baseline_create(const struct baseline_guest *guest, baseline_console *console, void *context);

/* Starts the vCPU on a thread of its own. */
void baseline_start(struct baseline_machine *machine);

/* Waits until the guest has exited or halted for good, and for its thread to be gone.
 * Returns the exit status: 0 for a halt, otherwise (VALUE << 1) | 1 for what it wrote to the debug exit port. */
int baseline_wait(struct baseline_machine *machine);

void baseline_destroy(struct baseline_machine *machine);

/* A VM that has memory slots and nothing else. */
struct baseline_slots;

/* A slot's place in the guest and on the host. */
struct baseline_slot {
    uint64_t guest_address;
    uint64_t host_address;
    uint64_t size; /* bytes */
    bool is_read_only;
};

struct baseline_slots *baseline_slots_create(void);
void baseline_slots_add(struct baseline_slots *slots, uint32_t number, struct baseline_slot slot);
void baseline_slots_remove(struct baseline_slots *slots, uint32_t number, struct baseline_slot slot);
void baseline_slots_destroy(struct baseline_slots *slots);

/* ---- dirty.c: which pages the guest has written, of memory that is one slot, by the bare calls ---- */

/* The guest's, from its address 0 on. */
uint8_t *baseline_memory(struct baseline_machine *machine);

/* Runs the vCPU on a thread of its own until the guest has stored where there is no memory. */
void baseline_start_to_store(struct baseline_machine *machine);
void baseline_wait_for_store(struct baseline_machine *machine);

enum baseline_dirty_method { BASELINE_LOG, BASELINE_MANUAL, BASELINE_RING };

/* Begins to log. With BASELINE_MANUAL all pages can be in the log at first, and none is protected then; protecting them later
 * takes the kernel longer, as it has to look for large pages as well. */
void baseline_dirty_start(struct baseline_machine *machine, enum baseline_dirty_method method, bool is_initially_set);
void baseline_dirty_stop(struct baseline_machine *machine);

/* Of a VM of somebody else's, with the descriptor `vm`, whose memory is one slot that is being logged: all that can be done with
 * it is to harvest, go through, and take. The method is not BASELINE_RING. */
struct baseline_machine *baseline_attach(int vm, uint32_t slot, uint64_t size, enum baseline_dirty_method method);
void baseline_detach(struct baseline_machine *machine);

/* Takes the pages that were written since the last time into the machine's bitmap, and has them logged anew. With
 * BASELINE_RING, it adds them to those that it has taken out already because the ring was full. */
void baseline_dirty_harvest(struct baseline_machine *machine);

/* Goes through the runs of pages that the bitmap has. */
struct baseline_walk {
    uint64_t runs;
    uint64_t pages;
};
struct baseline_walk baseline_dirty_walk(const struct baseline_machine *machine);

/* How many pages the bitmap has. It is empty afterwards. */
uint64_t baseline_dirty_take_count(struct baseline_machine *machine);

/* ---- push.c: bytes through a unix socket, from one process to another ---- */

/* How long it takes, in seconds, until the other process has all of them. It reads them into one buffer of 256 KiB, or else
 * where `keeps` into as much memory of its own. */
double baseline_push(const void *bytes, size_t count, bool keeps);

#endif
