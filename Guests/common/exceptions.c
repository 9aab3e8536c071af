#include "exceptions.h"

#include "cpu.h"
#include "descriptors.h"
#include "ending.h"
#include "print.h"

enum { PAGE_FAULT = 14 };

_Noreturn static void report(unsigned vector, const struct interrupt_frame *frame,
                             uint64_t error)
{
    print("unexpected exception ");
    print_decimal(vector);
    print(" at ");
    print_hexadecimal(frame->rip);
    print(", error code ");
    print_hexadecimal(error);
    if (vector == PAGE_FAULT) {
        print(", address ");
        print_hexadecimal(read_cr2());
    }
    print("\n");
    exit_with_value(2);
}

#define PLAIN(vector)                                                          \
    INTERRUPT_HANDLER static void exception_##vector(struct interrupt_frame *frame) \
    {                                                                          \
        report(vector, frame, 0);                                              \
    }

#define WITH_ERROR_CODE(vector)                                                \
    INTERRUPT_HANDLER static void exception_##vector(struct interrupt_frame *frame, \
                                                     uint64_t error)           \
    {                                                                          \
        report(vector, frame, error);                                          \
    }

// clang-format off
PLAIN(0) PLAIN(1) PLAIN(2) PLAIN(3) PLAIN(4) PLAIN(5) PLAIN(6) PLAIN(7)
WITH_ERROR_CODE(8) PLAIN(9) WITH_ERROR_CODE(10) WITH_ERROR_CODE(11)
WITH_ERROR_CODE(12) WITH_ERROR_CODE(13) WITH_ERROR_CODE(14) PLAIN(15)
PLAIN(16) WITH_ERROR_CODE(17) PLAIN(18) PLAIN(19) PLAIN(20) WITH_ERROR_CODE(21)
PLAIN(22) PLAIN(23) PLAIN(24) PLAIN(25) PLAIN(26) PLAIN(27) PLAIN(28)
WITH_ERROR_CODE(29) WITH_ERROR_CODE(30) PLAIN(31)

const void *const exception_handlers[EXCEPTION_COUNT] = {
    exception_0, exception_1, exception_2, exception_3, exception_4, exception_5,
    exception_6, exception_7, exception_8, exception_9, exception_10, exception_11,
    exception_12, exception_13, exception_14, exception_15, exception_16,
    exception_17, exception_18, exception_19, exception_20, exception_21,
    exception_22, exception_23, exception_24, exception_25, exception_26,
    exception_27, exception_28, exception_29, exception_30, exception_31,
};
// clang-format on
