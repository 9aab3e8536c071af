#include "options.h"

#include "ending.h"
#include "layout.h"
#include "local_apic.h"
#include "paging.h"
#include "print.h"
#include "words.h"

#define MIB (1ull << 20)

// The words of the command line that messages repeat.
static struct {
    struct word set;
    struct word base;
    struct word rate;
    struct word cpus;
    uint64_t set_size;
} request;

_Noreturn static void print_usage(void)
{
    print("usage: dirty [--set SIZE] [--rate SIZE|max]"
          " [--pattern sequential|random|hot]\n"
          "             [--passes N] [--base ADDRESS] [--report N] [--cpus N] [--no-check]\n");
    exit_with_value(1);
}

// Starts a message about an option's value: "dirty: --set 64M"
static void print_subject(const char *option, struct word value)
{
    print("dirty: ");
    print(option);
    print(" ");
    print_word(value);
}

_Noreturn static void refuse(const char *option, struct word value, const char *reason)
{
    print_subject(option, value);
    print(reason);
    print("\n");
    exit_with_value(1);
}

static struct word read_value(const char **line, const char *option)
{
    struct word value;
    if (!next_word(line, &value)) {
        print("dirty: ");
        print(option);
        print(" lacks a value\n");
        exit_with_value(1);
    }
    return value;
}

static uint64_t read_count(const char **line, const char *option)
{
    struct word value = read_value(line, option);
    uint64_t count;
    if (!parse_number(value, &count)) {
        refuse(option, value, " is not a number");
    }
    return count;
}

static enum pattern read_pattern(const char **line)
{
    struct word value = read_value(line, "--pattern");
    if (word_equals(value, "sequential")) {
        return SEQUENTIAL;
    }
    if (word_equals(value, "random")) {
        return RANDOM;
    }
    if (word_equals(value, "hot")) {
        return HOT;
    }
    refuse("--pattern", value, " is not one of sequential, random, hot");
}

static void read_cpus(const char **line, struct options *options)
{
    request.cpus = read_value(line, "--cpus");
    if (!parse_number(request.cpus, &options->cpus) || options->cpus == 0) {
        refuse("--cpus", request.cpus, " is not a number of CPUs");
    }
}

static void read_words(const char *line, struct options *options)
{
    struct word option;
    while (next_word(&line, &option)) {
        if (word_equals(option, "--set")) {
            request.set = read_value(&line, "--set");
            if (!parse_size(request.set, &request.set_size) || request.set_size == 0) {
                refuse("--set", request.set, " is not a size, such as 64M");
            }
        } else if (word_equals(option, "--rate")) {
            request.rate = read_value(&line, "--rate");
            if (word_equals(request.rate, "max")) {
                options->rate = 0;
            } else if (!parse_size(request.rate, &options->rate) || options->rate == 0) {
                refuse("--rate", request.rate, " is not a size per second, such as 100M, or max");
            }
        } else if (word_equals(option, "--base")) {
            request.base = read_value(&line, "--base");
            if (!parse_size(request.base, &options->base)) {
                refuse("--base", request.base, " is not an address, such as 16M or 0x1000000");
            }
        } else if (word_equals(option, "--pattern")) {
            options->pattern = read_pattern(&line);
        } else if (word_equals(option, "--passes")) {
            options->passes = read_count(&line, "--passes");
        } else if (word_equals(option, "--report")) {
            options->report_every = read_count(&line, "--report");
        } else if (word_equals(option, "--cpus")) {
            read_cpus(&line, options);
        } else if (word_equals(option, "--no-check")) {
            options->checks = false;
        } else {
            print("dirty: unknown argument ");
            print_word(option);
            print("\n");
            print_usage();
        }
    }
}

static void check_cpus(const struct options *options, uint64_t cpu_count)
{
    if (options->cpus == 1) {
        return;
    }
    if (options->cpus > cpu_count) {
        print_subject("--cpus", request.cpus);
        print(" needs as many CPUs; the machine has ");
        print_decimal(cpu_count);
        print("\n");
        exit_with_value(1);
    }
    if (!has_local_apic()) {
        refuse("--cpus", request.cpus, " needs a local APIC; the machine has none");
    }
    if (options->cpus > options->page_count) {
        print_subject("--cpus", request.cpus);
        print(" needs a page for each; --set ");
        print_word(request.set);
        print(" has ");
        print_decimal(options->page_count);
        print("\n");
        exit_with_value(1);
    }
}

static void check_base(const struct options *options, uint64_t memory_start)
{
    if (options->base % PAGE_SIZE != 0) {
        refuse("--base", request.base, " is not a multiple of 4K");
    }
    if (options->base >= MEMORY_GAP_START && options->base < MEMORY_GAP_END) {
        refuse("--base", request.base, " lies between 3G and 4G, where no RAM is");
    }
    if (options->base < memory_start) {
        print_subject("--base", request.base);
        print(" is in use; free memory starts at ");
        print_hexadecimal(memory_start);
        print("\n");
        exit_with_value(1);
    }
}

static void check_fit(const struct options *options, uint64_t memory_size)
{
    uint64_t before = offset_of_address(options->base);
    uint64_t needed;
    if (!__builtin_mul_overflow(options->page_count, PAGE_SIZE, &needed)
        && !__builtin_add_overflow(before, needed, &needed) && needed <= memory_size) {
        return;
    }
    print_subject("--set", request.set);
    print(" needs ");
    print_size(before);
    print(" + ");
    // What was asked for passes 64 bits only where it was rounded up from the last page.
    print_size(options->page_count > UINT64_MAX / PAGE_SIZE ? UINT64_MAX : options->page_count * PAGE_SIZE);
    print(" of memory; the machine has ");
    print_size(memory_size);
    print("\n");
    exit_with_value(1);
}

struct options read_options(const char *command_line, uint64_t cpu_count, uint64_t tsc_khz)
{
    struct options options = {
        .base = 16 * MIB,
        .report_every = 1,
        .cpus = 1,
        .pattern = SEQUENTIAL,
        .checks = true,
    };
    request.set = (struct word) {"16M", 3};
    request.base = (struct word) {"16M", 3};
    request.cpus = (struct word) {"1", 1};
    request.set_size = 16 * MIB;

    skip_image_name(&command_line);
    read_words(command_line, &options);
    options.page_count = request.set_size / PAGE_SIZE + (request.set_size % PAGE_SIZE != 0);
    check_cpus(&options, cpu_count);
    if (options.rate != 0 && tsc_khz == 0) {
        refuse("--rate", request.rate, " needs the TSC's frequency, which is unknown");
    }
    return options;
}

void check_placement(const struct options *options, uint64_t memory_size, uint64_t memory_start)
{
    check_base(options, memory_start);
    check_fit(options, memory_size);
}
