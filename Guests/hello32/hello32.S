# hello32: the hello guest in 32-bit protected mode, paging off.

        .code32
        .set    COM1, 0x3f8                     # a 16550's data port

        .section .rodata, "a", @progbits
message:
        .ascii  "hello, world\n"
        .set    message_length, . - message
        .type   message, @object
        .size   message, message_length

        .text
        .globl  _start
        .type   _start, @function
_start:
        mov     $message, %esi                  # from here ...
        mov     $message_length, %ecx           # ... so many bytes ...
        mov     $COM1, %edx                     # ... to this port:
        rep outsb                               # one byte at a time
        cli                                     # A CPU that halts with interrupts
        hlt                                     # off has nothing left to do.
        .size   _start, . - _start
