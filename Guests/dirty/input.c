#include "input.h"

#include "cpu.h"
#include "print.h"
#include "serial.h"

enum {
    END_OF_TRANSMISSION = 0x04,
    LOOK_EVERY_MS = 10,
};

static bool was_requested;
static uint64_t ticks_between_looks;
static uint64_t last_look;

static void look(void)
{
    while (in8(SERIAL_LINE_STATUS) & SERIAL_DATA_READY) {
        if (in8(SERIAL_DATA) == END_OF_TRANSMISSION) {
            was_requested = true;
        }
    }
    last_look = read_tsc();
}

void start_input(uint64_t tsc_khz)
{
    ticks_between_looks = LOOK_EVERY_MS * (tsc_khz != 0 ? tsc_khz : TSC_KHZ_GUESS);

    // Turning on the port's buffers empties them. What has come before is
    // read first, and loopback keeps the monitor from sending more meanwhile.
    out8(SERIAL_MODEM_CONTROL, SERIAL_LOOPBACK);
    look();
    print_in_bursts();
    out8(SERIAL_MODEM_CONTROL, SERIAL_TERMINAL_READY | SERIAL_REQUEST_TO_SEND);
}

bool end_was_requested(void)
{
    // A counter that jumped back counts as one that went far ahead.
    if (!was_requested && read_tsc() - last_look >= ticks_between_looks) {
        look();
    }
    return was_requested;
}
