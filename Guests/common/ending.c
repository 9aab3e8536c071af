#include "ending.h"

#include "cpu.h"

enum {
    POWER_CONTROL_PORT = 0x604,
    POWER_OFF = 0x2000,
    DEBUG_EXIT_PORT = 0xf4,
};

void halt(void)
{
    // The loop is for non-maskable interrupts, which end a `hlt` even so.
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void power_off(void)
{
    out16(POWER_CONTROL_PORT, POWER_OFF);
    halt();
}

void exit_with_value(uint32_t value)
{
    out32(DEBUG_EXIT_PORT, value);
    halt();
}
