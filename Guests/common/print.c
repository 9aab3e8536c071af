#include "print.h"

#include "cpu.h"
#include "serial.h"

static unsigned buffer_size = 1; // of the transmitter
static unsigned room;            // what is known to be free of it

void print_in_bursts(void)
{
    out8(SERIAL_FIFO_CONTROL, SERIAL_FIFO_ENABLE);
    buffer_size = SERIAL_FIFO_SIZE;
}

void print_character(char character)
{
    if (room == 0) {
        while (!(in8(SERIAL_LINE_STATUS) & SERIAL_TRANSMITTER_EMPTY)) {
            pause();
        }
        room = buffer_size;
    }
    room--;
    out8(SERIAL_DATA, (uint8_t)character);
}

void print_bytes(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        print_character(text[i]);
    }
}

void print(const char *text)
{
    while (*text != '\0') {
        print_character(*text++);
    }
}

static void print_number(uint64_t number, unsigned base)
{
    char digits[20]; // 2^64 - 1 has 20 decimal digits
    size_t first = sizeof digits;
    do {
        digits[--first] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    print_bytes(digits + first, sizeof digits - first);
}

void print_decimal(uint64_t number)
{
    print_number(number, 10);
}

void print_hexadecimal(uint64_t number)
{
    print("0x");
    print_number(number, 16);
}

void print_size(uint64_t bytes)
{
    static const char units[] = {'K', 'M', 'G'};
    size_t unit = 0;
    while (unit < sizeof units && bytes != 0 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    print_decimal(bytes);
    if (unit > 0) {
        print_character(units[unit - 1]);
    }
}
