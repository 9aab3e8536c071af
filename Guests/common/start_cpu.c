#include "start_cpu.h"

#include "cpu.h"
#include "local_apic.h"
#include "paging.h"

enum {
    // The page below 1 MiB in which CPUs start; also in trampoline.S.
    REAL_MODE_PAGE = 0x8000,

    // Interrupt commands.
    COMMAND_INIT = 5 << 8 | 1 << 14,
    COMMAND_START = 6 << 8 | 1 << 14, // plus the number of the page
};

extern const char trampoline[], trampoline_end[];

// What the trampoline takes to the CPU that starts.
uint64_t started_cpu_page_table;
void *started_cpu_stack_top;
void (*started_cpu_function)(void *argument);
void *started_cpu_argument;

static volatile bool has_started;

void report_cpu_start(void)
{
    has_started = true;
}

// False if no start is reported for `ticks` of the TSC.
static bool wait_for_start(uint64_t ticks)
{
    uint64_t start = read_tsc();
    while (!has_started) {
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

// What the monitor put below 1 MiB is not in use any more, except for its
// segment table, which only a change of segments would read.
void prepare_cpu_starts(void)
{
    local_apic_enable();
    started_cpu_page_table = page_table_root();

    volatile char *destination = (volatile char *)REAL_MODE_PAGE;
    for (const char *source = trampoline; source < trampoline_end; source++) {
        *destination++ = *source;
    }
}

bool start_cpu(uint32_t apic_id, void *stack_top, void (*function)(void *argument),
               void *argument, uint64_t tsc_khz)
{
    uint64_t ticks_per_ms = tsc_khz != 0 ? tsc_khz : TSC_KHZ_GUESS;
    started_cpu_stack_top = stack_top;
    started_cpu_function = function;
    started_cpu_argument = argument;
    has_started = false;

    send_command(apic_id, COMMAND_INIT);
    send_command(apic_id, COMMAND_START | REAL_MODE_PAGE / PAGE_SIZE);
    if (wait_for_start(10 * ticks_per_ms)) {
        return true;
    }
    // The second start command is for processors that missed the first.
    // Those that run already ignore it.
    send_command(apic_id, COMMAND_START | REAL_MODE_PAGE / PAGE_SIZE);
    return wait_for_start(990 * ticks_per_ms);
}
