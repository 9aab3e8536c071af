// peek: reads and writes memory as it is told over the serial port, a command
// and an answer a line, and can keep at it on its own meanwhile.

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "print.h"
#include "serial.h"
#include "words.h"

enum {
    END_OF_TRANSMISSION = 0x04,
    LINE_SIZE = 128,
    PAGE_SIZE = 4096,
};

static volatile uint64_t *word_at(uint64_t address)
{
    return (volatile uint64_t *)address;
}

// Memory that is written and checked again and again, one word a page.
static struct {
    uint64_t address, size;
    uint64_t rounds; // what each word holds, once one is done
    uint64_t errors;
} churn;

// One round: each word must have what the last round left there.
static void churn_once(void)
{
    for (uint64_t offset = 0; offset < churn.size; offset += PAGE_SIZE) {
        volatile uint64_t *word = word_at(churn.address + offset);
        if (churn.rounds > 0 && *word != churn.rounds + offset) {
            churn.errors++;
        }
        *word = churn.rounds + 1 + offset;
    }
    churn.rounds++;
}

static void report_churn(void)
{
    print_decimal(churn.rounds);
    print(" rounds, ");
    print_decimal(churn.errors);
    print(" errors\n");
}

// The first word of each page is `value` plus the page's offset.
static void fill(uint64_t address, uint64_t size, uint64_t value)
{
    for (uint64_t offset = 0; offset < size; offset += PAGE_SIZE) {
        *word_at(address + offset) = value + offset;
    }
    print("done\n");
}

static void check(uint64_t address, uint64_t size, uint64_t value)
{
    for (uint64_t offset = 0; offset < size; offset += PAGE_SIZE) {
        uint64_t found = *word_at(address + offset);
        if (found != value + offset) {
            print_hexadecimal(address + offset);
            print(" has ");
            print_hexadecimal(found);
            print("\n");
            return;
        }
    }
    print("good\n");
}

static void help(void)
{
    print("commands: read ADDRESS | write ADDRESS VALUE | fill ADDRESS SIZE VALUE | "
          "check ADDRESS SIZE VALUE | churn ADDRESS SIZE | stop\n");
}

// Up to three numbers or sizes after the command's name. False if there are
// other words, or not as many as `count`.
static bool parse_numbers(const char *rest, uint64_t numbers[3], int count)
{
    struct word word;
    for (int index = 0; index < count; index++) {
        if (!next_word(&rest, &word) || !parse_size(word, &numbers[index])) {
            return false;
        }
    }
    return !next_word(&rest, &word);
}

static void obey(const char *line)
{
    uint64_t number[3];
    struct word name;
    if (!next_word(&line, &name)) {
        return;
    }
    if (word_equals(name, "read") && parse_numbers(line, number, 1)) {
        print_hexadecimal(*word_at(number[0]));
        print("\n");
    } else if (word_equals(name, "write") && parse_numbers(line, number, 2)) {
        *word_at(number[0]) = number[1];
        print("done\n");
    } else if (word_equals(name, "fill") && parse_numbers(line, number, 3)) {
        fill(number[0], number[1], number[2]);
    } else if (word_equals(name, "check") && parse_numbers(line, number, 3)) {
        check(number[0], number[1], number[2]);
    } else if (word_equals(name, "churn") && parse_numbers(line, number, 2)) {
        churn.address = number[0];
        churn.size = number[1];
        churn.rounds = churn.errors = 0;
        print("done\n");
    } else if (word_equals(name, "stop") && parse_numbers(line, number, 0)) {
        churn.size = 0;
        report_churn();
    } else {
        help();
    }
}

void guest_main(const char *command_line)
{
    static char line[LINE_SIZE];
    size_t length = 0;
    (void)command_line;

    load_descriptor_tables(&boot_processor);
    print("peek\n");
    for (;;) {
        while (in8(SERIAL_LINE_STATUS) & SERIAL_DATA_READY) {
            char character = (char)in8(SERIAL_DATA);
            if (character == END_OF_TRANSMISSION) {
                power_off();
            }
            bool ends = character == '\n' || character == '\r';
            if (!ends) {
                // What is too long for any command is cut.
                if (length < LINE_SIZE - 1) {
                    line[length++] = character;
                }
                continue;
            }
            line[length] = '\0';
            length = 0;
            obey(line);
        }
        if (churn.size > 0) {
            churn_once();
        } else {
            pause();
        }
    }
}
