#include "contents.h"

#include "ending.h"
#include "print.h"

void report_corruption(uint64_t address, uint64_t expected, uint64_t found)
{
    print("CORRUPT gpa=");
    print_hexadecimal(address);
    print(" expected=");
    print_hexadecimal(expected);
    print(" found=");
    print_hexadecimal(found);
    print("\n");
    exit_with_value(1);
}

void fill_page(uint64_t page)
{
    for (unsigned word = 0; word < WORDS_PER_PAGE; word++) {
        *(word64 *)(page + word * 8) = fill_value(page, word);
    }
    stamp_page(page, 0);
}

void check_whole_page(uint64_t page, uint64_t stamp_pass)
{
    for (unsigned word = 0; word < WORDS_PER_PAGE; word++) {
        uint64_t expected = word == stamp_word(page) ? stamp_value(page, stamp_pass)
                                                     : fill_value(page, word);
        check_word(page + word * 8, expected);
    }
}
