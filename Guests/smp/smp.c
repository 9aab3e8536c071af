// smp: starts all processors, one after the other, and has each report.

#include "cpu.h"
#include "ending.h"
#include "local_apic.h"
#include "paging.h"
#include "print.h"

enum {
    // The page below 1 MiB in which processors start; also in trampoline.S.
    REAL_MODE_PAGE = 0x8000,

    // Interrupt commands.
    COMMAND_INIT = 5 << 8 | 1 << 14,
    COMMAND_START = 6 << 8 | 1 << 14, // plus the number of the page

    // Where the monitor does not know the TSC's frequency, a high guess makes
    // waits longer than asked for, never shorter.
    TSC_KHZ_GUESS = 6000000,
};

extern const char trampoline[], trampoline_end[];

// What the trampoline needs of the processor that starts another.
uint64_t application_page_table;
uint64_t application_stack_top;

static volatile uint64_t online_count;

static void report_online(void)
{
    print("cpu ");
    print_decimal(local_apic_id());
    print(": online\n");
    online_count = online_count + 1;
}

// Where the trampoline enters C.
_Noreturn void application_main(void)
{
    report_online();
    halt();
}

// Waits until `count` processors have reported. False after `ticks` of the TSC.
static bool wait_for_online(uint64_t count, uint64_t ticks)
{
    uint64_t start = read_tsc();
    while (online_count != count) {
        if (read_tsc() - start > ticks) {
            return false;
        }
        pause();
    }
    return true;
}

static void send_command(uint32_t apic_id, uint32_t command)
{
    local_apic_write(LOCAL_APIC_COMMAND_HIGH, apic_id << 24);
    local_apic_write(LOCAL_APIC_COMMAND_LOW, command);
}

// False if the processor does not report within a second.
static bool start_cpu(uint32_t apic_id, uint64_t ticks_per_ms)
{
    uint64_t expected = online_count + 1;
    application_stack_top = (uint64_t)allocate_page() + PAGE_SIZE;

    send_command(apic_id, COMMAND_INIT);
    send_command(apic_id, COMMAND_START | REAL_MODE_PAGE / PAGE_SIZE);
    if (wait_for_online(expected, 10 * ticks_per_ms)) {
        return true;
    }
    // The second start command is for processors that missed the first.
    // Those that run already ignore it.
    send_command(apic_id, COMMAND_START | REAL_MODE_PAGE / PAGE_SIZE);
    return wait_for_online(expected, 990 * ticks_per_ms);
}

// Page tables and a stack of the guest's own leave the memory below 1 MiB to
// the trampoline: what the monitor put there is not in use any more, except
// for the segment table, which only a change of segments would read.
static void prepare_start(void)
{
    // The first is for the image, the second for the stacks of up to 254 processors.
    map_range(0, 2 * LARGE_PAGE_SIZE, KERNEL_MEMORY);
    map_range(LOCAL_APIC_BASE, LOCAL_APIC_BASE + PAGE_SIZE, DEVICE_MEMORY);
    load_page_tables();
    application_page_table = page_table_root();

    volatile char *destination = (volatile char *)REAL_MODE_PAGE;
    for (const char *source = trampoline; source < trampoline_end; source++) {
        *destination++ = *source;
    }
}

void guest_main(const char *command_line, uint64_t memory_size, uint64_t cpu_count,
                uint64_t tsc_khz)
{
    (void)command_line;
    (void)memory_size;
    uint64_t ticks_per_ms = tsc_khz != 0 ? tsc_khz : TSC_KHZ_GUESS;

    if (!has_local_apic()) {
        print("smp: this machine has no local APIC\n");
        exit_with_value(1);
    }
    prepare_start();
    local_apic_enable();
    for (uint32_t apic_id = 0; apic_id < cpu_count; apic_id++) {
        if (apic_id == local_apic_id()) {
            report_online();
        } else if (!start_cpu(apic_id, ticks_per_ms)) {
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
