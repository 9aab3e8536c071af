/* Running a guest on a thread of its own, and finding out that it has halted for good. */
#include "machine.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum {
    SERIAL_DATA = 0x3f8,
    SERIAL_LINE_STATUS = 0x3fd,
    DELAY = 0x80,
    DEBUG_EXIT = 0xf4,
};

/* Not the first real-time signal: that is what vmm's library uses, and both run in one process. */
#define KICK_SIGNAL SIGUSR1

/* As vmm's: enough for the loop below. */
enum { STACK_SIZE = 256 << 10 };

/* Returns whether the guest is to go on. */
static bool handle_port(struct baseline_machine *machine) {
    struct kvm_run *run = machine->run;
    uint8_t *data = (uint8_t *)run + run->io.data_offset;
    if (run->io.direction == KVM_EXIT_IO_OUT) {
        switch (run->io.port) {
        case DELAY:
            machine->delay_writes++;
            break;
        case SERIAL_DATA:
            for (uint32_t i = 0; i < run->io.count; i++) machine->console(machine->context, data[i * run->io.size]);
            break;
        case DEBUG_EXIT:
            machine->status = (*data << 1 | 1) & 0xff;
            return false;
        }
    } else {
        /* The transmitter is always empty; nothing else answers. */
        uint8_t value = run->io.port == SERIAL_LINE_STATUS ? 0x60 : 0xff;
        memset(data, value, (size_t)run->io.count * run->io.size);
    }
    return true;
}

/* Whether the vCPU sleeps with interrupts off: nothing wakes it then. */
static bool has_halted_for_good(struct baseline_machine *machine) {
    struct kvm_mp_state state;
    KVM_CALL(machine->vcpu, KVM_GET_MP_STATE, &state);
    if (state.mp_state != KVM_MP_STATE_HALTED) return false;
    struct kvm_regs registers;
    KVM_CALL(machine->vcpu, KVM_GET_REGS, &registers);
    return !(registers.rflags & 1 << 9);
}

/* Returns whether the guest is to go on. */
static bool handle_kick(struct baseline_machine *machine) {
    __atomic_store_n(&machine->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
    return !(machine->has_irqchip && has_halted_for_good(machine));
}

static void run_until_end(struct baseline_machine *machine) {
    struct kvm_run *run = machine->run;
    for (;;) {
        if (ioctl(machine->vcpu, KVM_RUN, 0) < 0) {
            if (errno != EINTR && errno != EAGAIN) fail("KVM_RUN");
            if (!handle_kick(machine)) return;
            continue;
        }
        switch (run->exit_reason) {
        case KVM_EXIT_IO:
            if (!handle_port(machine)) return;
            break;
        case KVM_EXIT_MMIO:
            if (!run->mmio.is_write) memset(run->mmio.data, 0xff, sizeof run->mmio.data);
            break;
        case KVM_EXIT_HLT:
            return;
        default:
            errno = 0;
            fail("the guest crashed");
        }
    }
}

static void *vcpu_thread(void *argument) {
    struct baseline_machine *machine = argument;
    run_until_end(machine);
    pthread_mutex_lock(&machine->lock);
    machine->has_ended = true;
    pthread_cond_broadcast(&machine->changed);
    pthread_mutex_unlock(&machine->lock);
    return NULL;
}

static void ignore(int number) { (void)number; }

void baseline_start(struct baseline_machine *machine) {
    /* Without SA_RESTART, so that the signal ends KVM_RUN. */
    struct sigaction action = {.sa_handler = ignore};
    sigaction(KICK_SIGNAL, &action, NULL);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    errno = pthread_create(&machine->thread, &attributes, vcpu_thread, machine);
    if (errno) fail("pthread_create");
    pthread_attr_destroy(&attributes);
}

static uint64_t now(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static uint64_t cpu_time(pthread_t thread) {
    clockid_t clock;
    return pthread_getcpuclockid(thread, &clock) == 0 ? now(clock) : 0;
}

/* Sleeps until the run has ended or `deadline` (CLOCK_MONOTONIC, ns) has passed, with the lock held. */
static void wait_until(struct baseline_machine *machine, uint64_t deadline) {
    struct timespec time = {.tv_sec = (time_t)(deadline / 1000000000), .tv_nsec = (long)(deadline % 1000000000)};
    int error = 0;
    while (!machine->has_ended && error != ETIMEDOUT) {
        error = pthread_cond_timedwait(&machine->changed, &machine->lock, &time);
    }
}

/* With an in-kernel local APIC nobody tells that the guest has halted. So, with the lock held, this looks as vmm does: a
 * vCPU whose thread has used no CPU time since the last look is kicked out of the guest and asks itself. A guest that
 * runs for long is looked at less often, in proportion. (What vmm has for guests that sleep for long, a pause of its
 * own between looks, is left out: no guest here does.) */
static void watch(struct baseline_machine *machine) {
    const uint64_t shortest = 250000, longest = 10000000; /* ns */
    uint64_t started = now(CLOCK_MONOTONIC), last_use = cpu_time(machine->thread);
    while (!machine->has_ended) {
        uint64_t time = now(CLOCK_MONOTONIC), interval = (time - started) / 8;
        interval = interval < shortest ? shortest : interval > longest ? longest : interval;
        wait_until(machine, time + interval);
        if (machine->has_ended) break;
        uint64_t use = cpu_time(machine->thread);
        if (use == last_use) {
            __atomic_store_n(&machine->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
            pthread_kill(machine->thread, KICK_SIGNAL);
            /* The answer comes as the end of the run, or not at all. */
        }
        last_use = use;
    }
}

int baseline_wait(struct baseline_machine *machine) {
    pthread_mutex_lock(&machine->lock);
    if (machine->has_irqchip) watch(machine);
    while (!machine->has_ended) pthread_cond_wait(&machine->changed, &machine->lock);
    pthread_mutex_unlock(&machine->lock);
    pthread_join(machine->thread, NULL);
    return machine->status;
}
