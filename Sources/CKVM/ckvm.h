/*
 * The kernel's KVM interface as Swift can import it: linux/kvm.h, plus what the importer does not see (request
 * numbers are macros, ioctl is variadic, the members of kvm_run's union have no names) and what is newer than the
 * headers of Linux 6.1. Source: Documentation/virt/kvm/api.rst.
 */
#ifndef CKVM_H
#define CKVM_H

#include <errno.h>
#include <linux/kvm.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

/* ---- newer than Linux 6.1 ---- */

#ifndef KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP
#define KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP 225
#endif
#ifndef KVM_CAP_USER_MEMORY2
#define KVM_CAP_USER_MEMORY2 231
#endif
#ifndef KVM_CAP_MEMORY_FAULT_INFO
#define KVM_CAP_MEMORY_FAULT_INFO 232
#endif
#ifndef KVM_CAP_GUEST_MEMFD
#define KVM_CAP_GUEST_MEMFD 234
#endif
#ifndef KVM_CAP_X86_APIC_BUS_CYCLES_NS
#define KVM_CAP_X86_APIC_BUS_CYCLES_NS 237
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef KVM_EXIT_TDX
#define KVM_EXIT_TDX 40
#endif

/* ---- system calls: the result, or the negated errno ---- */

static inline long ckvm_ioctl(int fd, unsigned long request, unsigned long argument) {
    int result = ioctl(fd, request, argument);
    return result < 0 ? -(long)errno : result;
}

static inline long ckvm_ioctl_pointer(int fd, unsigned long request, void *argument) {
    int result = ioctl(fd, request, argument);
    return result < 0 ? -(long)errno : result;
}

/* ---- request numbers ---- */

#define CKVM_REQUEST(name) static const unsigned long CKVM_##name = KVM_##name

CKVM_REQUEST(GET_API_VERSION);
CKVM_REQUEST(CHECK_EXTENSION);
CKVM_REQUEST(CREATE_VM);
CKVM_REQUEST(GET_VCPU_MMAP_SIZE);
CKVM_REQUEST(GET_SUPPORTED_CPUID);
CKVM_REQUEST(GET_MSR_INDEX_LIST);
CKVM_REQUEST(ENABLE_CAP);
CKVM_REQUEST(CREATE_VCPU);
CKVM_REQUEST(SET_USER_MEMORY_REGION);
CKVM_REQUEST(GET_DIRTY_LOG);
CKVM_REQUEST(CLEAR_DIRTY_LOG);
CKVM_REQUEST(RESET_DIRTY_RINGS);
CKVM_REQUEST(SET_TSS_ADDR);
CKVM_REQUEST(SET_IDENTITY_MAP_ADDR);
CKVM_REQUEST(CREATE_IRQCHIP);
CKVM_REQUEST(GET_IRQCHIP);
CKVM_REQUEST(SET_IRQCHIP);
CKVM_REQUEST(CREATE_PIT2);
CKVM_REQUEST(GET_PIT2);
CKVM_REQUEST(SET_PIT2);
CKVM_REQUEST(IRQ_LINE);
CKVM_REQUEST(SIGNAL_MSI);
CKVM_REQUEST(SET_GSI_ROUTING);
CKVM_REQUEST(GET_CLOCK);
CKVM_REQUEST(SET_CLOCK);
CKVM_REQUEST(RUN);
CKVM_REQUEST(GET_REGS);
CKVM_REQUEST(SET_REGS);
CKVM_REQUEST(GET_SREGS);
CKVM_REQUEST(SET_SREGS);
CKVM_REQUEST(GET_SREGS2);
CKVM_REQUEST(SET_SREGS2);
CKVM_REQUEST(GET_FPU);
CKVM_REQUEST(SET_FPU);
CKVM_REQUEST(GET_XSAVE);
CKVM_REQUEST(GET_XSAVE2);
CKVM_REQUEST(SET_XSAVE);
CKVM_REQUEST(GET_XCRS);
CKVM_REQUEST(SET_XCRS);
CKVM_REQUEST(GET_LAPIC);
CKVM_REQUEST(SET_LAPIC);
CKVM_REQUEST(GET_MSRS);
CKVM_REQUEST(SET_MSRS);
CKVM_REQUEST(GET_CPUID2);
CKVM_REQUEST(SET_CPUID2);
CKVM_REQUEST(GET_VCPU_EVENTS);
CKVM_REQUEST(SET_VCPU_EVENTS);
CKVM_REQUEST(GET_MP_STATE);
CKVM_REQUEST(SET_MP_STATE);
CKVM_REQUEST(GET_DEBUGREGS);
CKVM_REQUEST(SET_DEBUGREGS);
CKVM_REQUEST(GET_TSC_KHZ);
CKVM_REQUEST(SET_TSC_KHZ);
CKVM_REQUEST(GET_NESTED_STATE);
CKVM_REQUEST(KVMCLOCK_CTRL);
CKVM_REQUEST(INTERRUPT);
CKVM_REQUEST(NMI);
CKVM_REQUEST(GET_STATS_FD);

#undef CKVM_REQUEST

/* ---- binary statistics ---- */

/* kvm_stats_desc without the name, which follows it. */
struct ckvm_stats_descriptor {
    uint32_t flags;
    int16_t exponent;
    uint16_t size;
    uint32_t offset;
    uint32_t bucket_size;
};

_Static_assert(sizeof(struct ckvm_stats_descriptor) == sizeof(struct kvm_stats_desc), "kvm_stats_desc");

/* ---- nested virtualization ---- */

/* The header of kvm_nested_state, whose end is of an unknown length. */
struct ckvm_nested_header {
    uint16_t flags;
    uint16_t format;
    uint32_t size;
    /* Of VMX alone. */
    uint64_t vmxon_pa;
    uint8_t others[112];
};

_Static_assert(sizeof(struct ckvm_nested_header) == offsetof(struct kvm_nested_state, data), "kvm_nested_state");
_Static_assert(offsetof(struct ckvm_nested_header, size) == offsetof(struct kvm_nested_state, size), "size");
_Static_assert(offsetof(struct ckvm_nested_header, vmxon_pa) == offsetof(struct kvm_nested_state, hdr.vmx.vmxon_pa),
               "vmxon_pa");

/* ---- kvm_run ---- */

/* The members of kvm_run's union that the monitor reads, under names. */
struct ckvm_exit_io {
    uint8_t direction;
    uint8_t size;
    uint16_t port;
    uint32_t count;
    uint64_t data_offset;
};

struct ckvm_exit_mmio {
    uint64_t address;
    uint64_t data;
    uint32_t length;
    uint8_t is_write;
};

struct ckvm_exit_msr {
    uint8_t error;
    uint8_t padding[7];
    uint32_t reason;
    uint32_t index;
    uint64_t data;
};

struct ckvm_exit_internal {
    uint32_t suberror;
    uint32_t data_count;
    uint64_t data[16];
};

struct ckvm_exit_memory_fault {
    uint64_t flags;
    uint64_t address;
    uint64_t size;
};

struct ckvm_exit_fail_entry {
    uint64_t reason;
    uint32_t cpu;
};

struct ckvm_exit_system_event {
    uint32_t type;
    uint32_t data_count;
    uint64_t data[16];
};

#define CKVM_SAME_OFFSET(type, field, kernel) \
    _Static_assert(offsetof(struct type, field) == offsetof(struct kvm_run, kernel) - offsetof(struct kvm_run, hw), \
                   #type "." #field)
CKVM_SAME_OFFSET(ckvm_exit_io, port, io.port);
CKVM_SAME_OFFSET(ckvm_exit_io, data_offset, io.data_offset);
CKVM_SAME_OFFSET(ckvm_exit_mmio, data, mmio.data);
CKVM_SAME_OFFSET(ckvm_exit_mmio, is_write, mmio.is_write);
CKVM_SAME_OFFSET(ckvm_exit_msr, index, msr.index);
CKVM_SAME_OFFSET(ckvm_exit_msr, data, msr.data);
CKVM_SAME_OFFSET(ckvm_exit_internal, data, internal.data);
CKVM_SAME_OFFSET(ckvm_exit_fail_entry, cpu, fail_entry.cpu);
CKVM_SAME_OFFSET(ckvm_exit_system_event, data, system_event.data);
#undef CKVM_SAME_OFFSET
_Static_assert(sizeof(struct kvm_run) == 2352, "kvm_run is kernel ABI");
_Static_assert(sizeof(struct kvm_userspace_memory_region) == 32, "kvm_userspace_memory_region is kernel ABI");

#define CKVM_EXIT_ACCESSOR(name) \
    static inline struct ckvm_exit_##name *ckvm_run_##name(struct kvm_run *run) { \
        return (struct ckvm_exit_##name *)(void *)&run->hw; \
    }
CKVM_EXIT_ACCESSOR(io)
CKVM_EXIT_ACCESSOR(mmio)
CKVM_EXIT_ACCESSOR(msr)
CKVM_EXIT_ACCESSOR(internal)
CKVM_EXIT_ACCESSOR(memory_fault)
CKVM_EXIT_ACCESSOR(fail_entry)
CKVM_EXIT_ACCESSOR(system_event)
#undef CKVM_EXIT_ACCESSOR

static inline uint64_t *ckvm_mmio_data(struct ckvm_exit_mmio *mmio) { return &mmio->data; }

static inline uint64_t *ckvm_internal_data(struct ckvm_exit_internal *error) { return error->data; }

static inline uint8_t ckvm_run_eoi_vector(const struct kvm_run *run) { return run->eoi.vector; }

static inline uint64_t ckvm_run_hardware_exit_reason(const struct kvm_run *run) { return run->hw.hardware_exit_reason; }

/* Set by one thread to make another's KVM_RUN return: hence atomic. */
static inline void ckvm_run_set_immediate_exit(struct kvm_run *run, uint8_t value) {
    __atomic_store_n(&run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

/* The general registers that KVM_CAP_SYNC_REGS leaves in the run page at every exit. */
static inline const struct kvm_regs *ckvm_run_synced_registers(const struct kvm_run *run) { return &run->s.regs.regs; }

/* ---- dirty rings ---- */

/* Where a vCPU's descriptor has its ring, in bytes. */
#define CKVM_DIRTY_RING_PAGE ((int64_t)KVM_DIRTY_LOG_PAGE_OFFSET)

_Static_assert(sizeof(struct kvm_dirty_gfn) == 16, "kvm_dirty_gfn is kernel ABI");

/* Whether the kernel has filled in the entry. */
static inline int ckvm_dirty_gfn_is_dirty(struct kvm_dirty_gfn *entry) {
    return __atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) == KVM_DIRTY_GFN_F_DIRTY;
}

/* Has the kernel reset an entry, whatever is in it. */
static inline void ckvm_dirty_gfn_give_back(struct kvm_dirty_gfn *entry) {
    __atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
}

/* If the kernel has filled in the entry, reads it, hands it back to be reset, and returns 1. The kernel writes the other
 * members before it sets the flag, and reads them before it clears it: hence acquire and release. */
static inline int ckvm_dirty_gfn_take(struct kvm_dirty_gfn *entry, uint32_t *slot, uint64_t *page) {
    if (!ckvm_dirty_gfn_is_dirty(entry)) return 0;
    *slot = entry->slot;
    *page = entry->offset;
    ckvm_dirty_gfn_give_back(entry);
    return 1;
}

#endif
