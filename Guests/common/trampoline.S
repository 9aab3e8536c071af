# The way of a CPU from its start in real mode to 64-bit C code: that of
# start_cpu.c, which says where it goes by the variables started_cpu_*.

        .set    REAL_MODE_PAGE, 0x8000          # also in start_cpu.c

        .set    CR0_PROTECTED, 1 << 0
        .set    CR0_PAGING, 1 << 31
        .set    CR4_PHYSICAL_ADDRESS_EXTENSION, 1 << 5
        .set    EFER, 0xc0000080
        .set    EFER_LONG_MODE, 1 << 8

        .set    CODE_64, 0x08
        .set    DATA, 0x10
        .set    CODE_32, 0x18

        # This part is copied to REAL_MODE_PAGE, since a CPU can start
        # below 1 MiB only. CS is REAL_MODE_PAGE / 16, IP is 0.
        .section .rodata.trampoline, "a", @progbits
        .code16
        .globl  trampoline
        .type   trampoline, @function
trampoline:
        cli
        lgdtl   %cs:(segments_register - trampoline)
        mov     $CR0_PROTECTED, %eax
        mov     %eax, %cr0
        ljmpl   $CODE_32, $enter_long_mode

segments_register:
        .word   segments_end - segments - 1
        .long   segments
        .size   trampoline, . - trampoline
        .globl  trampoline_end
trampoline_end:

        # From here on the code runs where it is linked.
        .section .text.enter_long_mode, "ax", @progbits
        .code32
        .type   enter_long_mode, @function
enter_long_mode:
        mov     $DATA, %eax
        mov     %eax, %ds
        mov     %eax, %es
        mov     %eax, %ss
        mov     $CR4_PHYSICAL_ADDRESS_EXTENSION, %eax
        mov     %eax, %cr4
        mov     started_cpu_page_table, %eax
        mov     %eax, %cr3
        mov     $EFER, %ecx
        rdmsr
        or      $EFER_LONG_MODE, %eax
        wrmsr
        mov     $(CR0_PROTECTED | CR0_PAGING), %eax
        mov     %eax, %cr0
        ljmpl   $CODE_64, $enter_c
        .size   enter_long_mode, . - enter_long_mode

        .code64
        .type   enter_c, @function
enter_c:
        mov     started_cpu_stack_top, %rsp
        mov     started_cpu_argument, %rdi
        xor     %ebp, %ebp
        call    *started_cpu_function
        ud2                                     # it does not return
        .size   enter_c, . - enter_c

        .section .rodata.segments, "a", @progbits
        .balign 8
        .type   segments, @object
segments:
        .quad   0
        .quad   0x00af9b000000ffff              # CODE_64
        .quad   0x00cf93000000ffff              # DATA
        .quad   0x00cf9b000000ffff              # CODE_32
        .size   segments, . - segments
segments_end:
