#include "words.h"

#include "print.h"

bool next_word(const char **line, struct word *word)
{
    const char *cursor = *line;
    while (*cursor == ' ') {
        cursor++;
    }
    word->text = cursor;
    while (*cursor != ' ' && *cursor != '\0') {
        cursor++;
    }
    word->length = (size_t)(cursor - word->text);
    *line = cursor;
    return word->length > 0;
}

void skip_image_name(const char **line)
{
    struct word name;
    next_word(line, &name);
}

bool word_equals(struct word word, const char *text)
{
    for (size_t i = 0; i < word.length; i++) {
        // The end of `text` is unequal too: words contain no zero.
        if (word.text[i] != text[i]) {
            return false;
        }
    }
    return text[word.length] == '\0';
}

void print_word(struct word word)
{
    print_bytes(word.text, word.length);
}

// The value of a digit, or 16, which is a digit of no base in use.
static unsigned digit_value(char character)
{
    if (character >= '0' && character <= '9') {
        return (unsigned)(character - '0');
    }
    char lower = character | 0x20;
    if (lower >= 'a' && lower <= 'f') {
        return (unsigned)(lower - 'a') + 10;
    }
    return 16;
}

bool parse_number(struct word word, uint64_t *number)
{
    unsigned base = 10;
    size_t first = 0;
    if (word.length >= 2 && word.text[0] == '0' && word.text[1] == 'x') {
        base = 16;
        first = 2;
    }
    if (first == word.length) {
        return false;
    }
    uint64_t value = 0;
    for (size_t i = first; i < word.length; i++) {
        unsigned digit = digit_value(word.text[i]);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value)
            || __builtin_add_overflow(value, (uint64_t)digit, &value)) {
            return false;
        }
    }
    *number = value;
    return true;
}

bool parse_size(struct word word, uint64_t *size)
{
    unsigned shift = 0;
    if (word.length > 0) {
        switch (word.text[word.length - 1] & ~0x20) {
        case 'K': shift = 10; break;
        case 'M': shift = 20; break;
        case 'G': shift = 30; break;
        }
    }
    if (shift > 0) {
        word.length--;
    }
    uint64_t value;
    if (!parse_number(word, &value) || value > UINT64_MAX >> shift) {
        return false;
    }
    *size = value << shift;
    return true;
}
