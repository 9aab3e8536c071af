// timer: counts interrupts of the local APIC's timer.

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "local_apic.h"
#include "print.h"
#include "words.h"

enum {
    TIMER_VECTOR = 0x40,
    DEFAULT_TICKS = 10,

    // KVM's timer counts in nanoseconds, so this is 10 ms.
    TIMER_PERIOD = 10000000,
    TIMER_PERIODIC = 1 << 17,
    TIMER_DIVIDE_BY_1 = 0xb,
};

static volatile uint64_t ticks;

INTERRUPT_HANDLER static void count_tick(struct interrupt_frame *frame)
{
    (void)frame;
    ticks = ticks + 1;
    local_apic_end_interrupt();
}

static void start_timer(void)
{
    load_descriptor_tables(&boot_processor);
    handle_interrupt(TIMER_VECTOR, count_tick);
    local_apic_enable();
    local_apic_write(LOCAL_APIC_TIMER_DIVISOR, TIMER_DIVIDE_BY_1);
    local_apic_write(LOCAL_APIC_TIMER, TIMER_PERIODIC | TIMER_VECTOR);
    local_apic_write(LOCAL_APIC_TIMER_INITIAL_COUNT, TIMER_PERIOD);
}

void guest_main(const char *command_line)
{
    struct word word, surplus;
    uint64_t wanted = DEFAULT_TICKS;

    skip_image_name(&command_line);
    if (next_word(&command_line, &word)
        && (!parse_number(word, &wanted) || wanted == 0
            || next_word(&command_line, &surplus))) {
        print("usage: timer [TICKS]\n");
        exit_with_value(1);
    }
    if (!has_local_apic()) {
        print("timer: this machine has no local APIC\n");
        exit_with_value(1);
    }

    start_timer();
    for (uint64_t printed = 0; printed < wanted;) {
        // Ticks that came while the last line was being printed wait here.
        while (ticks == printed) {
            sleep_until_interrupt();
        }
        printed++;
        print("tick ");
        print_decimal(printed);
        print("\n");
    }
    print("timer: ");
    print_decimal(wanted);
    print(" ticks\n");
    power_off();
}
