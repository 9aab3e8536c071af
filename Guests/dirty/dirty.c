// dirty: writes to memory at a given rate and finds out if any of it is lost.
//
// It reads its options and sets up page tables in ring 0. The work itself is
// done in ring 3, which runs at full speed on KVM hosts that emulate ring 0.

#include "descriptors.h"
#include "ending.h"
#include "layout.h"
#include "options.h"
#include "paging.h"
#include "passes.h"
#include "print.h"

// The page tables reach 512 GiB, and RAM has a gap of 1 GiB.
#define LARGEST_MEMORY (511ull << 30)

static struct options options;
static uint64_t tsc_khz;

// Entered in ring 3.
static void work(void)
{
    run_passes(&options, tsc_khz);
    print("dirty: ");
    print_decimal(options.passes);
    print(" passes ok\n");
    power_off();
}

// Makes all RAM accessible to ring 3. The tables take memory too, so this
// comes before the working set is placed.
static void map_memory(uint64_t memory_size)
{
    uint64_t low_end = memory_size < MEMORY_GAP_START ? memory_size : MEMORY_GAP_START;
    map_range(0, low_end, USER_MEMORY);
    if (memory_size > MEMORY_GAP_START) {
        map_range(MEMORY_GAP_END, address_of_offset(memory_size), USER_MEMORY);
    }
    load_page_tables();
}

void guest_main(const char *command_line, uint64_t memory_size, uint64_t cpu_count,
                uint64_t tsc_frequency)
{
    (void)cpu_count;
    tsc_khz = tsc_frequency;
    if (memory_size > LARGEST_MEMORY) {
        memory_size = LARGEST_MEMORY;
    }
    load_descriptor_tables();
    print_in_bursts();
    map_memory(memory_size);
    options = read_options(command_line, memory_size, free_memory_start(), tsc_khz);
    enter_user_mode(work);
}
