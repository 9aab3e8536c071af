// exit: ends with a status chosen on the command line.

#include "ending.h"
#include "print.h"
#include "words.h"

void guest_main(const char *command_line)
{
    struct word word, surplus;
    uint64_t value;

    skip_image_name(&command_line);
    if (!next_word(&command_line, &word)) {
        power_off();
    }
    if (!parse_number(word, &value) || value > UINT32_MAX
        || next_word(&command_line, &surplus)) {
        print("usage: exit [VALUE]\n");
        exit_with_value(1);
    }
    exit_with_value((uint32_t)value);
}
