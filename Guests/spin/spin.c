// spin: runs without an end and without an exit to the monitor.

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "paging.h"
#include "print.h"
#include "words.h"

static void spin(void *unused)
{
    (void)unused;
    print("spinning\n");
    for (;;) {
        pause();
    }
}

void guest_main(const char *command_line)
{
    struct word word, surplus;

    skip_image_name(&command_line);
    if (!next_word(&command_line, &word)) {
        spin(NULL);
    }
    if (!word_equals(word, "user") || next_word(&command_line, &surplus)) {
        print("usage: spin [user]\n");
        exit_with_value(1);
    }
    load_descriptor_tables(&boot_processor);
    map_range(0, free_memory_start(), USER_MEMORY);
    load_page_tables();
    enter_user_mode(&boot_processor, spin, NULL);
}
