/* The kernel's log of the pages a guest has written, by its three methods. */
#include "machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE_SHIFT = 12, PIECE_WORDS = 256 /* of 64 MiB */ };

static uint64_t word_count(const struct baseline_machine *machine) {
    return ((machine->memory_size >> PAGE_SHIFT) + 63) / 64;
}

uint8_t *baseline_memory(struct baseline_machine *machine) { return machine->memory; }

/* ---- Rings ---- */

void enable_ring(struct baseline_machine *machine) {
    struct kvm_enable_cap capability = {
        .cap = KVM_CAP_DIRTY_LOG_RING_ACQ_REL, .args = {machine->ring_size * sizeof *machine->ring}};
    KVM_CALL(machine->vm, KVM_ENABLE_CAP, &capability);
}

void map_ring(struct baseline_machine *machine) {
    machine->ring = mmap(NULL, machine->ring_size * sizeof *machine->ring, PROT_READ | PROT_WRITE, MAP_SHARED,
                         machine->vcpu, KVM_DIRTY_LOG_PAGE_OFFSET << PAGE_SHIFT);
    if (machine->ring == MAP_FAILED) fail("mmap of the dirty ring");
}

static void drain_ring(struct baseline_machine *machine) {
    bool any = false;
    for (;;) {
        struct kvm_dirty_gfn *entry = &machine->ring[machine->ring_position & (machine->ring_size - 1)];
        if (__atomic_load_n(&entry->flags, __ATOMIC_ACQUIRE) != KVM_DIRTY_GFN_F_DIRTY) break;
        machine->dirty_words[entry->offset >> 6] |= UINT64_C(1) << (entry->offset & 63);
        __atomic_store_n(&entry->flags, KVM_DIRTY_GFN_F_RESET, __ATOMIC_RELEASE);
        machine->ring_position++;
        any = true;
    }
    if (any) KVM_CALL(machine->vm, KVM_RESET_DIRTY_RINGS, 0);
}

/* ---- Bitmaps ---- */

static void read_log(struct baseline_machine *machine) {
    struct kvm_dirty_log log = {.slot = machine->slot, .dirty_bitmap = machine->dirty_words};
    KVM_CALL(machine->vm, KVM_GET_DIRTY_LOG, &log);
}

static bool has_bits(const uint64_t *words, uint64_t count) {
    for (uint64_t i = 0; i < count; i++) {
        if (words[i] != 0) return true;
    }
    return false;
}

static void clear_log(struct baseline_machine *machine) {
    uint64_t pages = machine->memory_size >> PAGE_SHIFT;
    for (uint64_t first = 0; first < pages; first += PIECE_WORDS * 64) {
        uint64_t count = pages - first < PIECE_WORDS * 64 ? pages - first : PIECE_WORDS * 64;
        uint64_t *words = machine->dirty_words + first / 64;
        if (!has_bits(words, (count + 63) / 64)) continue;
        struct kvm_clear_dirty_log log = {
            .slot = machine->slot, .first_page = first, .num_pages = (uint32_t)count, .dirty_bitmap = words};
        KVM_CALL(machine->vm, KVM_CLEAR_DIRTY_LOG, &log);
    }
}

/* ---- Switching and harvesting ---- */

static void set_flags(struct baseline_machine *machine, uint32_t flags) {
    struct kvm_userspace_memory_region slot = {
        .flags = flags,
        .memory_size = machine->memory_size,
        .userspace_addr = (uintptr_t)machine->memory,
    };
    KVM_CALL(machine->vm, KVM_SET_USER_MEMORY_REGION, &slot);
}

static void make_room(struct baseline_machine *machine) {
    if (!machine->dirty_words) machine->dirty_words = calloc(word_count(machine), sizeof *machine->dirty_words);
    if (!machine->dirty_words) fail("calloc");
}

struct baseline_machine *baseline_attach(int vm, uint32_t slot, uint64_t size, enum baseline_dirty_method method) {
    struct baseline_machine *machine = calloc(1, sizeof *machine);
    if (!machine) fail("calloc");
    machine->vm = vm;
    machine->slot = slot;
    machine->memory_size = size;
    machine->method = method;
    make_room(machine);
    return machine;
}

void baseline_detach(struct baseline_machine *machine) {
    free(machine->dirty_words);
    free(machine);
}

void baseline_dirty_start(struct baseline_machine *machine, enum baseline_dirty_method method, bool is_initially_set) {
    make_room(machine);
    machine->method = method;
    if (method == BASELINE_MANUAL) {
        struct kvm_enable_cap capability = {
            .cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2,
            .args = {KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | (is_initially_set ? KVM_DIRTY_LOG_INITIALLY_SET : 0)},
        };
        KVM_CALL(machine->vm, KVM_ENABLE_CAP, &capability);
    }
    set_flags(machine, KVM_MEM_LOG_DIRTY_PAGES);
}

void baseline_dirty_stop(struct baseline_machine *machine) {
    set_flags(machine, 0);
    if (machine->method == BASELINE_MANUAL) {
        struct kvm_enable_cap capability = {.cap = KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2};
        KVM_CALL(machine->vm, KVM_ENABLE_CAP, &capability);
    }
    if (machine->method == BASELINE_RING) drain_ring(machine);
}

void baseline_dirty_harvest(struct baseline_machine *machine) {
    switch (machine->method) {
    case BASELINE_LOG:
        read_log(machine);
        break;
    case BASELINE_MANUAL:
        read_log(machine);
        clear_log(machine);
        break;
    case BASELINE_RING:
        drain_ring(machine);
        break;
    }
}

struct baseline_walk baseline_dirty_walk(const struct baseline_machine *machine) {
    struct baseline_walk walk = {0};
    uint64_t end = 0;
    for (uint64_t i = 0; i < word_count(machine); i++) {
        uint64_t bits = machine->dirty_words[i];
        while (bits != 0) {
            uint64_t low = (uint64_t)__builtin_ctzll(bits);
            uint64_t after = ~(bits >> low);
            uint64_t length = after == 0 ? 64 : (uint64_t)__builtin_ctzll(after);
            uint64_t first = i * 64 + low;
            walk.runs += walk.pages == 0 || first != end;
            walk.pages += length;
            end = first + length;
            bits = low + length == 64 ? 0 : bits & ~UINT64_C(0) << (low + length);
        }
    }
    return walk;
}

uint64_t baseline_dirty_take_count(struct baseline_machine *machine) {
    uint64_t pages = 0;
    for (uint64_t i = 0; i < word_count(machine); i++) pages += (uint64_t)__builtin_popcountll(machine->dirty_words[i]);
    memset(machine->dirty_words, 0, word_count(machine) * sizeof *machine->dirty_words);
    return pages;
}

/* ---- Running, on one thread: another would cost the kernel a grace period when it first enters the guest ---- */

static void run_to_store(struct baseline_machine *machine) {
    struct kvm_run *run = machine->run;
    for (;;) {
        if (ioctl(machine->vcpu, KVM_RUN, 0) < 0) {
            if (errno != EINTR && errno != EAGAIN) fail("KVM_RUN");
            continue;
        }
        switch (run->exit_reason) {
        case KVM_EXIT_DIRTY_RING_FULL:
            drain_ring(machine);
            break;
        case KVM_EXIT_MMIO:
            if (run->mmio.is_write) return;
            break;
        default:
            errno = 0;
            fail("the guest crashed");
        }
    }
}

static void *store_thread(void *argument) {
    struct baseline_machine *machine = argument;
    pthread_mutex_lock(&machine->lock);
    for (;;) {
        while (!machine->is_to_run && !machine->has_ended) pthread_cond_wait(&machine->changed, &machine->lock);
        if (machine->has_ended) break;
        pthread_mutex_unlock(&machine->lock);
        run_to_store(machine);
        pthread_mutex_lock(&machine->lock);
        machine->is_to_run = false;
        pthread_cond_broadcast(&machine->changed);
    }
    pthread_mutex_unlock(&machine->lock);
    return NULL;
}

void baseline_start_to_store(struct baseline_machine *machine) {
    if (!machine->has_store_thread) {
        errno = pthread_create(&machine->thread, NULL, store_thread, machine);
        if (errno) fail("pthread_create");
        machine->has_store_thread = true;
    }
    pthread_mutex_lock(&machine->lock);
    machine->is_to_run = true;
    pthread_cond_broadcast(&machine->changed);
    pthread_mutex_unlock(&machine->lock);
}

void baseline_wait_for_store(struct baseline_machine *machine) {
    pthread_mutex_lock(&machine->lock);
    while (machine->is_to_run) pthread_cond_wait(&machine->changed, &machine->lock);
    pthread_mutex_unlock(&machine->lock);
}

void end_dirty(struct baseline_machine *machine) {
    if (machine->has_store_thread) {
        pthread_mutex_lock(&machine->lock);
        machine->has_ended = true;
        pthread_cond_broadcast(&machine->changed);
        pthread_mutex_unlock(&machine->lock);
        pthread_join(machine->thread, NULL);
    }
    if (machine->ring) munmap(machine->ring, machine->ring_size * sizeof *machine->ring);
    free(machine->dirty_words);
}
