/* libFuzzer, of which the compiler has the library and no header: https://llvm.org/docs/LibFuzzer.html, "Using libFuzzer as a
 * library". */
#ifndef CFUZZER_H
#define CFUZZER_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*run)(const uint8_t *_Nullable data, size_t size));

#endif
