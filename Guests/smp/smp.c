// smp: starts all CPUs, one after the other, and has each report.

#include "ending.h"
#include "local_apic.h"
#include "paging.h"
#include "print.h"
#include "start_cpu.h"

static volatile uint64_t online_count;

static void report_online(void)
{
    print("cpu ");
    print_decimal(local_apic_id());
    print(": online\n");
    online_count = online_count + 1;
}

// What the other CPUs do.
static void report_and_halt(void *unused)
{
    (void)unused;
    report_online();
    report_cpu_start();
    halt();
}

static bool start(uint32_t apic_id, uint64_t tsc_khz)
{
    uint8_t *stack = allocate_pages(1);
    return start_cpu(apic_id, stack + PAGE_SIZE, report_and_halt, NULL, tsc_khz);
}

static void map_memory(void)
{
    // The first is for the image, the second for the stacks of up to 254 CPUs.
    map_range(0, 2 * LARGE_PAGE_SIZE, KERNEL_MEMORY);
    map_range(LOCAL_APIC_BASE, LOCAL_APIC_BASE + PAGE_SIZE, DEVICE_MEMORY);
    load_page_tables();
}

void guest_main(const char *command_line, uint64_t memory_size, uint64_t cpu_count,
                uint64_t tsc_khz)
{
    (void)command_line;
    (void)memory_size;

    if (!has_local_apic()) {
        print("smp: this machine has no local APIC\n");
        exit_with_value(1);
    }
    map_memory();
    prepare_cpu_starts();
    for (uint32_t apic_id = 0; apic_id < cpu_count; apic_id++) {
        if (apic_id == local_apic_id()) {
            report_online();
        } else if (!start(apic_id, tsc_khz)) {
            print("smp: cpu ");
            print_decimal(apic_id);
            print(" did not start\n");
            exit_with_value(1);
        }
    }
    print("smp: ");
    print_decimal(online_count);
    print(" cpus online\n");
    halt();
}
