#include "contents.h"

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
