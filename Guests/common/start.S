# The entry of the guests written in C. It leaves the monitor's stack for one
# inside the image, so that no later step depends on what lies below 1 MiB,
# and calls
#
#     void guest_main(const char *command_line, uint64_t memory_size,
#                     uint64_t cpu_count, uint64_t tsc_khz)
#
# whose arguments are in the registers already. RBP is zero: backtraces end here.

        .text
        .globl  _start
        .type   _start, @function
_start:
        mov     $initial_stack_top, %esp
        xor     %ebp, %ebp
        call    guest_main
        call    halt                            # the guest is done
        .size   _start, . - _start

        .section .bss.initial_stack, "aw", @nobits
        .balign 16
        .globl  initial_stack
        .type   initial_stack, @object
initial_stack:
        .skip   16384
        .size   initial_stack, . - initial_stack
initial_stack_top:
