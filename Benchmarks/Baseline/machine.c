/* Making a machine and taking it down. */
#include "machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { CPUID_CAPACITY = 128 };

_Noreturn void fail(const char *what) {
    fprintf(stderr, "baseline: %s%s%s\n", what, errno ? ": " : "", errno ? strerror(errno) : "");
    exit(71);
}

int checked_ioctl(int descriptor, unsigned long request, unsigned long argument, const char *name) {
    int result = ioctl(descriptor, request, argument);
    if (result < 0) fail(name);
    return result;
}

static int capability(int kvm, int number) { return KVM_CALL(kvm, KVM_CHECK_EXTENSION, number); }

/* Opens the device and asks it what vmm asks. */
static int open_kvm(void) {
    static const int required[] = {
        KVM_CAP_USER_MEMORY,
        KVM_CAP_SET_TSS_ADDR,
        KVM_CAP_EXT_CPUID,
        KVM_CAP_DESTROY_MEMORY_REGION_WORKS,
        KVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
        KVM_CAP_MP_STATE,
        KVM_CAP_VCPU_EVENTS,
        KVM_CAP_IMMEDIATE_EXIT,
    };
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) fail("/dev/kvm");
    if (KVM_CALL(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) fail("/dev/kvm is of another version");
    for (unsigned i = 0; i < sizeof required / sizeof *required; i++) {
        if (capability(kvm, required[i]) <= 0) fail("KVM lacks a capability");
    }
    return kvm;
}

/* The host's features made those of a package with one core, the vCPU's. */
static void adapt_cpuid(struct kvm_cpuid2 *cpuid, bool has_local_apic, bool has_deadline_timer) {
    for (unsigned i = 0; i < cpuid->nent; i++) {
        struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
        switch (entry->function) {
        case 1:
            entry->ebx = (entry->ebx & 0xffff) | 1 << 16;
            entry->ecx |= 1u << 31;    /* there is a hypervisor */
            entry->edx &= ~(1u << 28); /* no further threads */
            if (has_local_apic) {
                if (has_deadline_timer) entry->ecx |= 1u << 24;
            } else {
                entry->ecx &= ~(1u << 21 | 1u << 24); /* x2APIC, TSC deadline */
                entry->edx &= ~(1u << 9);
            }
            break;
        case 4:
            entry->eax &= 0x03ffffff;
            break;
        case 0xb:
        case 0x1f:
            entry->edx = 0;
            entry->eax = 0;
            entry->ebx = entry->index < 2 ? 1 : 0;
            entry->ecx = entry->index < 2 ? entry->index | (entry->index + 1) << 8 : entry->index;
            break;
        case 0x80000008:
            entry->ecx &= ~0xf0ffu;
            break;
        case 0x8000001e:
            entry->eax = entry->ebx = entry->ecx = 0;
            break;
        }
    }
}

static void create_vm(struct baseline_machine *machine, int kvm) {
    machine->memory = mmap(NULL, machine->memory_size, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (machine->memory == MAP_FAILED) fail("mmap of the guest's memory");
    machine->vm = KVM_CALL(kvm, KVM_CREATE_VM, 0);
    capability(kvm, KVM_CAP_NR_MEMSLOTS);
    capability(kvm, KVM_CAP_XSAVE2);
    capability(kvm, KVM_CAP_SYNC_REGS);
    if (capability(kvm, KVM_CAP_SET_IDENTITY_MAP_ADDR)) {
        uint64_t identity_map = 0xfffbc000;
        KVM_CALL(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity_map);
    }
    KVM_CALL(machine->vm, KVM_SET_TSS_ADDR, 0xfffbd000);
    struct kvm_userspace_memory_region slot = {
        .memory_size = machine->memory_size,
        .userspace_addr = (uintptr_t)machine->memory,
    };
    KVM_CALL(machine->vm, KVM_SET_USER_MEMORY_REGION, &slot);
    if (machine->has_irqchip) KVM_CALL(machine->vm, KVM_CREATE_IRQCHIP, 0);
    if (machine->ring_size) enable_ring(machine);
}

static void create_vcpu(struct baseline_machine *machine, struct kvm_cpuid2 *cpuid, bool has_deadline_timer) {
    machine->vcpu = KVM_CALL(machine->vm, KVM_CREATE_VCPU, 0);
    machine->run = mmap(NULL, machine->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, machine->vcpu, 0);
    if (machine->run == MAP_FAILED) fail("mmap of kvm_run");
    if (machine->ring_size) map_ring(machine);
    adapt_cpuid(cpuid, machine->has_irqchip, has_deadline_timer);
    KVM_CALL(machine->vcpu, KVM_SET_CPUID2, cpuid);
    if (!machine->has_irqchip) {
        struct kvm_sregs special;
        KVM_CALL(machine->vcpu, KVM_GET_SREGS, &special);
        special.apic_base = 0;
        KVM_CALL(machine->vcpu, KVM_SET_SREGS, &special);
    }
}

static void create_monitor(struct baseline_machine *machine) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&machine->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&machine->lock, NULL);
}

struct baseline_machine *baseline_create(const struct baseline_guest *guest, baseline_console *console, void *context) {
    struct baseline_machine *machine = calloc(1, sizeof *machine);
    if (!machine) fail("calloc");
    machine->memory_size = guest->memory_size;
    machine->has_irqchip = guest->has_irqchip;
    machine->ring_size = guest->ring_size;
    machine->console = console;
    machine->context = context;

    int kvm = open_kvm();
    machine->run_size = (size_t)KVM_CALL(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_cpuid2 *cpuid = calloc(1, sizeof *cpuid + CPUID_CAPACITY * sizeof *cpuid->entries);
    if (!cpuid) fail("calloc");
    cpuid->nent = CPUID_CAPACITY;
    KVM_CALL(kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
    capability(kvm, KVM_CAP_MAX_VCPUS);
    if (machine->has_irqchip) capability(kvm, KVM_CAP_IRQCHIP);
    create_vm(machine, kvm);
    create_vcpu(machine, cpuid, capability(kvm, KVM_CAP_TSC_DEADLINE_TIMER) > 0);
    free(cpuid);
    uint64_t tsc_kilohertz = 0;
    if (capability(kvm, KVM_CAP_GET_TSC_KHZ)) {
        tsc_kilohertz = (uint64_t)KVM_CALL(machine->vcpu, KVM_GET_TSC_KHZ, 0);
    }
    struct entry_state entry = load_guest(machine->memory, machine->memory_size, guest);
    enter_long_mode(machine->vcpu, &entry, machine->memory_size, tsc_kilohertz);
    create_monitor(machine);
    close(kvm);
    return machine;
}

void baseline_destroy(struct baseline_machine *machine) {
    end_dirty(machine);
    pthread_cond_destroy(&machine->changed);
    pthread_mutex_destroy(&machine->lock);
    munmap(machine->run, machine->run_size);
    close(machine->vcpu);
    close(machine->vm);
    munmap(machine->memory, machine->memory_size);
    free(machine);
}
