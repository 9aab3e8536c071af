// dirty: writes to memory at a given rate and finds out if any of it is lost.
//
// It reads its options, sets up page tables and starts the other CPUs in ring
// 0. The work itself is done in ring 3, which runs at full speed on KVM hosts
// that emulate ring 0.

#include "descriptors.h"
#include "ending.h"
#include "input.h"
#include "layout.h"
#include "local_apic.h"
#include "options.h"
#include "paging.h"
#include "print.h"
#include "start_cpu.h"
#include "team.h"

// The page tables reach 512 GiB, and RAM has a gap of 1 GiB.
#define LARGEST_MEMORY (511ull << 30)

static struct options options;

// A CPU that is not the boot CPU.
struct member {
    struct processor processor;
    struct worker worker;
};

// Links workers for all CPUs into the leader's list.
static void make_team(uint64_t tsc_khz)
{
    leader.options = &options;
    leader.tsc_khz = tsc_khz;
    struct worker *last = &leader;
    for (uint64_t number = 1; number < options.cpus; number++) {
        struct member *member = allocate_pages((sizeof *member + PAGE_SIZE - 1) / PAGE_SIZE);
        member->worker.options = &options;
        member->worker.tsc_khz = tsc_khz;
        member->worker.number = number;
        last->next = &member->worker;
        last = &member->worker;
    }
}

static struct member *member_of(struct worker *worker)
{
    return (struct member *)((char *)worker - offsetof(struct member, worker));
}

static void join_work(void *argument)
{
    struct member *member = argument;
    load_descriptor_tables(&member->processor);
    report_cpu_start();
    enter_user_mode(&member->processor, work, &member->worker);
}

static void start_member(uint32_t apic_id, struct member *member, uint64_t tsc_khz)
{
    // In ring 0 it has no other use for the stack than exceptions.
    struct processor *processor = &member->processor;
    void *stack_top = processor->exception_stack + sizeof processor->exception_stack;
    if (!start_cpu(apic_id, stack_top, join_work, member, tsc_khz)) {
        print("dirty: cpu ");
        print_decimal(apic_id);
        print(" did not start\n");
        exit_with_value(1);
    }
}

// Starts as many CPUs as there are workers, in the order of their APIC ids.
static void start_team(uint64_t tsc_khz)
{
    if (leader.next == NULL) {
        return;
    }
    prepare_cpu_starts();
    uint32_t apic_id = 0;
    for (struct worker *worker = leader.next; worker != NULL; worker = worker->next) {
        if (apic_id == local_apic_id()) {
            apic_id++;
        }
        start_member(apic_id, member_of(worker), tsc_khz);
        apic_id++;
    }
}

// Makes all RAM accessible to ring 3, and the local APIC to ring 0 if it is
// needed.
static void map_memory(uint64_t memory_size)
{
    uint64_t low_end = memory_size < MEMORY_GAP_START ? memory_size : MEMORY_GAP_START;
    map_range(0, low_end, USER_MEMORY);
    if (memory_size > MEMORY_GAP_START) {
        map_range(MEMORY_GAP_END, address_of_offset(memory_size), USER_MEMORY);
    }
    if (options.cpus > 1) {
        map_range(LOCAL_APIC_BASE, LOCAL_APIC_BASE + PAGE_SIZE, DEVICE_MEMORY);
    }
}

void guest_main(const char *command_line, uint64_t memory_size, uint64_t cpu_count,
                uint64_t tsc_khz)
{
    if (memory_size > LARGEST_MEMORY) {
        memory_size = LARGEST_MEMORY;
    }
    load_descriptor_tables(&boot_processor);
    start_input(tsc_khz);
    options = read_options(command_line, cpu_count, tsc_khz);

    // Page tables and the other CPUs take memory too, so they come before the
    // working set is placed.
    map_memory(memory_size);
    make_team(tsc_khz);
    check_placement(&options, memory_size, free_memory_start());
    load_page_tables();
    start_team(tsc_khz);
    enter_user_mode(&boot_processor, work, &leader);
}
