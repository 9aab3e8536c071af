// The command line as words. They are read in place: nothing is copied, and
// the length of the line has no limit.

#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct word {
    const char *text; // not terminated: the next word may follow
    size_t length;
};

// Moves *line past its next word and returns that word in *word. False at the
// end of the line.
bool next_word(const char **line, struct word *word);

// Moves *line past the image name, which is the first word.
void skip_image_name(const char **line);

bool word_equals(struct word word, const char *text);
void print_word(struct word word);

// A whole number, decimal or hexadecimal after 0x. False if it is neither, or
// too large for 64 bits.
bool parse_number(struct word word, uint64_t *number);

// The same with an optional K, M or G for 2^10, 2^20 or 2^30.
bool parse_size(struct word word, uint64_t *size);
