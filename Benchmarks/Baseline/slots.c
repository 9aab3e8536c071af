/* Memory slots of a VM that has no vCPU, by the bare ioctls. */
#include "machine.h"

#include <stdlib.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct baseline_slots {
    int kvm, vm;
};

static void set_slot(struct baseline_slots *slots, uint32_t number, struct baseline_slot slot, uint64_t size) {
    struct kvm_userspace_memory_region region = {
        .slot = number,
        .flags = slot.is_read_only ? KVM_MEM_READONLY : 0,
        .guest_phys_addr = slot.guest_address,
        .memory_size = size,
        .userspace_addr = slot.host_address,
    };
    KVM_CALL(slots->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

struct baseline_slots *baseline_slots_create(void) {
    struct baseline_slots *slots = malloc(sizeof *slots);
    if (!slots) fail("malloc");
    slots->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (slots->kvm < 0) fail("/dev/kvm");
    slots->vm = KVM_CALL(slots->kvm, KVM_CREATE_VM, 0);
    return slots;
}

void baseline_slots_add(struct baseline_slots *slots, uint32_t number, struct baseline_slot slot) {
    set_slot(slots, number, slot, slot.size);
}

void baseline_slots_remove(struct baseline_slots *slots, uint32_t number, struct baseline_slot slot) {
    set_slot(slots, number, slot, 0);
}

void baseline_slots_destroy(struct baseline_slots *slots) {
    close(slots->vm);
    close(slots->kvm);
    free(slots);
}
