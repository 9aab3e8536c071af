// echo: sends serial input back in upper case until the byte EOT arrives.

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "local_apic.h"
#include "print.h"
#include "serial.h"
#include "words.h"

enum {
    END_OF_TRANSMISSION = 0x04,
    SERIAL_VECTOR = 0x40,
    SERIAL_INTERRUPT_LINE = 4,
};

// The I/O APIC, which routes devices' interrupt lines to local APICs. Its
// registers are reached through a pair of a selector and a window.
enum io_apic_register {
    IO_APIC_VERSION = 0x01,
    IO_APIC_REDIRECTION = 0x10, // two registers per line
};

static volatile uint32_t *const io_apic_selector = (uint32_t *)0xfec00000;
static volatile uint32_t *const io_apic_window = (uint32_t *)0xfec00010;

static uint32_t io_apic_read(uint32_t index)
{
    *io_apic_selector = index;
    return *io_apic_window;
}

static void io_apic_write(uint32_t index, uint32_t value)
{
    *io_apic_selector = index;
    *io_apic_window = value;
}

// Where there is no device, reads give all ones or zero.
static bool has_io_apic(void)
{
    uint32_t version = io_apic_read(IO_APIC_VERSION);
    uint32_t last_line = version >> 16 & 0xff;
    return version != UINT32_MAX && last_line >= SERIAL_INTERRUPT_LINE;
}

// The interrupt's only purpose is to end the sleep of the main loop, which
// reads the port.
INTERRUPT_HANDLER static void wake_up(struct interrupt_frame *frame)
{
    (void)frame;
    local_apic_end_interrupt();
}

static void enable_receive_interrupt(void)
{
    load_descriptor_tables(&boot_processor);
    handle_interrupt(SERIAL_VECTOR, wake_up);
    local_apic_enable();

    // Edge-triggered, active high, to this CPU. The upper half first: the
    // lower one unmasks the line.
    uint32_t entry = IO_APIC_REDIRECTION + 2 * SERIAL_INTERRUPT_LINE;
    io_apic_write(entry + 1, local_apic_id() << 24);
    io_apic_write(entry, SERIAL_VECTOR);

    out8(SERIAL_MODEM_CONTROL,
         SERIAL_TERMINAL_READY | SERIAL_REQUEST_TO_SEND | SERIAL_OUTPUT_2);
    out8(SERIAL_INTERRUPT_ENABLE, SERIAL_RECEIVE_INTERRUPT);
}

static char upper_case(char character)
{
    return character >= 'a' && character <= 'z' ? (char)(character & ~0x20) : character;
}

// Echoes what has been received so far. Reading all of it lowers the
// interrupt line, so the next byte makes a new edge.
static void echo_received(void)
{
    while (in8(SERIAL_LINE_STATUS) & SERIAL_DATA_READY) {
        char character = (char)in8(SERIAL_DATA);
        if (character == END_OF_TRANSMISSION) {
            power_off();
        }
        print_character(upper_case(character));
    }
}

void guest_main(const char *command_line)
{
    struct word word, surplus;
    bool polling = false;

    skip_image_name(&command_line);
    if (next_word(&command_line, &word)) {
        if (!word_equals(word, "poll") || next_word(&command_line, &surplus)) {
            print("usage: echo [poll]\n");
            exit_with_value(1);
        }
        polling = true;
    }
    if (!polling && has_local_apic() && has_io_apic()) {
        enable_receive_interrupt();
    } else {
        polling = true;
    }
    for (;;) {
        echo_received();
        if (polling) {
            pause();
        } else {
            // A byte that arrived since has raised the line: no sleep then.
            sleep_until_interrupt();
        }
    }
}
