// Text output to the first serial port.

#pragma once

#include <stddef.h>
#include <stdint.h>

// Turns the port's buffers on, which saves a look at its status for most
// characters. Input received before is lost.
void print_in_bursts(void);

void print_character(char character);
void print(const char *text);
void print_bytes(const char *text, size_t length);
void print_decimal(uint64_t number);
void print_hexadecimal(uint64_t number); // as 0x...

// Prints a size in the largest unit that divides it: 4096 as 4K.
void print_size(uint64_t bytes);
