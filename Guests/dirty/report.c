#include "report.h"

#include "cpu.h"
#include "ending.h"
#include "print.h"

static bool is_printing;

static void begin_line(void)
{
    while (__atomic_exchange_n(&is_printing, true, __ATOMIC_ACQUIRE)) {
        pause();
    }
}

static void end_line(void)
{
    print("\n");
    __atomic_store_n(&is_printing, false, __ATOMIC_RELEASE);
}

void report_pass(uint64_t pass, bool was_checked)
{
    begin_line();
    print("pass ");
    print_decimal(pass);
    print(was_checked ? " ok" : " written");
    end_line();
}

void report_corruption(uint64_t address, uint64_t expected, uint64_t found)
{
    // The line stays this CPU's: there is no more to be said by others.
    begin_line();
    print("CORRUPT gpa=");
    print_hexadecimal(address);
    print(" expected=");
    print_hexadecimal(expected);
    print(" found=");
    print_hexadecimal(found);
    print("\n");
    exit_with_value(1);
}

void report_success(uint64_t passes)
{
    begin_line();
    print("dirty: ");
    print_decimal(passes);
    print(" passes ok\n");
    power_off();
}
