# hello16: the hello guest as a boot sector, in real mode.
# It runs at 0000:7c00 with DS = 0, so its addresses are plain offsets.

        .code16
        .set    COM1, 0x3f8                     # a 16550's data port

        .text
        .globl  _start
        .type   _start, @function
_start:
        mov     $message, %si                   # from here ...
        mov     $message_length, %cx            # ... so many bytes ...
        mov     $COM1, %dx                      # ... to this port:
        rep outsb                               # one byte at a time
        cli                                     # A CPU that halts with interrupts
        hlt                                     # off has nothing left to do.
        .size   _start, . - _start

message:
        .ascii  "hello, world\n"
        .set    message_length, . - message
        .type   message, @object
        .size   message, message_length
