/*
 * The accessors of ctrycopy.h, in three stretches of code that recover.c knows by their bounds. What it relies on:
 *
 * - The accessors of single values change no register but %rax and %rdx, which `preserve_most` counts on.
 * - No accessor moves the stack pointer or changes a register that its caller owns, so wherever one is interrupted,
 *   returning from it is a plain `ret`. The return address is where `call` left it: shadow stacks agree.
 * - The guarded operand can be read off the registers: in the scalars it starts at %rdi, in the copies and fills at %r8
 *   and its last byte is at %r8 + %r9. They stay so throughout. Destinations are written through %rdi, sources read
 *   through %rsi, and nothing is reached through another register.
 * - Guarded bytes are reached in ascending order, each instruction beginning at or below the end of what was reached
 *   before it. The address of the first fault is therefore that of the lowest inaccessible byte. Only long copies whose
 *   destination overlaps their source from above are done from the top.
 *
 * Every copy of up to four vectors loads all it needs before it stores: that is what makes overlaps safe, and longer
 * overlapping copies are made of such blocks.
 */
#if !defined(__x86_64__) || !defined(__linux__)
#error "CTryCopy is written for x86-64 Linux"
#endif

#include <cet.h>

        .section .text.ctrycopy, "ax", @progbits

        .macro bound name
        .globl  \name
        .hidden \name
\name:
        .endm

        .macro function name
        .globl  \name
        .type   \name, @function
        .p2align 5
\name:
        .cfi_startproc
        _CET_ENDBR
        .endm

        .macro internal name
        .type   \name, @function
        .p2align 5
\name:
        .cfi_startproc
        .endm

        .macro end name
        .cfi_endproc
        .size   \name, . - \name
        .endm

        /* No fault: the value is in %rax already, or there is none. */
        .macro return_value
        xorl    %edx, %edx
        ret
        .endm

        .macro return_nothing
        xorl    %eax, %eax
        return_value
        .endm

        .macro return_nothing_avx2
        vzeroupper
        return_nothing
        .endm

/* ---- one load, store or compare-exchange of the operand at %rdi ---- */

        bound   ctrycopy_scalars_begin

        .macro load name, instruction, register
        function \name
        \instruction (%rdi), \register
        return_value
        end     \name
        .endm

        load    ctrycopy_load_1_accessor, movzbl, %eax
        load    ctrycopy_load_2_accessor, movzwl, %eax
        load    ctrycopy_load_4_accessor, movl, %eax
        load    ctrycopy_load_8_accessor, movq, %rax

        .macro store name, register
        function \name
        mov     \register, (%rdi)
        return_nothing
        end     \name
        .endm

        store   ctrycopy_store_1_accessor, %sil
        store   ctrycopy_store_2_accessor, %si
        store   ctrycopy_store_4_accessor, %esi
        store   ctrycopy_store_8_accessor, %rsi

        .macro compare_exchange name, extend, expected, found, desired
        function \name
        \extend \expected, \found
        lock cmpxchg \desired, (%rdi)
        return_value
        end     \name
        .endm

        compare_exchange ctrycopy_compare_exchange_1_accessor, movzbl, %sil, %eax, %dl
        compare_exchange ctrycopy_compare_exchange_2_accessor, movzwl, %si, %eax, %dx
        compare_exchange ctrycopy_compare_exchange_4_accessor, movl, %esi, %eax, %edx
        compare_exchange ctrycopy_compare_exchange_8_accessor, movq, %rsi, %rax, %rdx

        bound   ctrycopy_scalars_end

/* ---- copies: %rdi destination, %rsi source, %rdx count ---- */

        /* Copies 4 vectors from (%rsi) to (%rdi), all loads first. */
        .macro copy_block move, vector, size
        \move   (%rsi), %\vector\()0
        \move   \size(%rsi), %\vector\()1
        \move   2*\size(%rsi), %\vector\()2
        \move   3*\size(%rsi), %\vector\()3
        \move   %\vector\()0, (%rdi)
        \move   %\vector\()1, \size(%rdi)
        \move   %\vector\()2, 2*\size(%rdi)
        \move   %\vector\()3, 3*\size(%rdi)
        .endm

        /* Copies 2 to 4 vectors, the last two ending with the operands. */
        .macro copy_four move, vector, size
        \move   (%rsi), %\vector\()0
        \move   \size(%rsi), %\vector\()1
        \move   -2*\size(%rsi,%rdx), %\vector\()2
        \move   -\size(%rsi,%rdx), %\vector\()3
        \move   %\vector\()0, (%rdi)
        \move   %\vector\()1, \size(%rdi)
        \move   %\vector\()2, -2*\size(%rdi,%rdx)
        \move   %\vector\()3, -\size(%rdi,%rdx)
        .endm

        /*
         * Copies more than 4 vectors. What an overlapping copy leaves undone is at most 4 vectors, with the operands and
         * the count narrowed to it: `rest` does that.
         */
        .macro copy_long move, vector, size, done, rest
        movq    %rdi, %rax
        subq    %rsi, %rax
        cmpq    %rdx, %rax
        jb      2f
        negq    %rax
        cmpq    %rdx, %rax
        jb      1f

        /* Apart: one vector up to where the destination is aligned, aligned blocks, and a block that ends the copy. */
        \move   (%rsi), %\vector\()0
        \move   %\vector\()0, (%rdi)
        leaq    -4*\size(%rdi,%rdx), %r10
        leaq    -4*\size(%rsi,%rdx), %r11
        addq    $\size, %rdi
        andq    $-\size, %rdi
        leaq    (%rdi,%rax), %rsi
        cmpq    %r10, %rdi
        jae     4f
        .p2align 5
3:
        copy_block \move, \vector, \size
        addq    $4*\size, %rsi
        addq    $4*\size, %rdi
        cmpq    %r10, %rdi
        jb      3b
4:
        movq    %r10, %rdi
        movq    %r11, %rsi
        copy_block \move, \vector, \size
        \done

        /* The destination is the lower one: blocks from the bottom. */
        .p2align 5
1:
        copy_block \move, \vector, \size
        addq    $4*\size, %rsi
        addq    $4*\size, %rdi
        subq    $4*\size, %rdx
        cmpq    $4*\size, %rdx
        ja      1b
        \rest

        /* The destination is the upper one, or the same: blocks from the top. */
2:
        movq    %rdi, %r10
        movq    %rsi, %r11
        leaq    -4*\size(%rdi,%rdx), %rdi
        leaq    -4*\size(%rsi,%rdx), %rsi
        .p2align 5
5:
        copy_block \move, \vector, \size
        subq    $4*\size, %rsi
        subq    $4*\size, %rdi
        subq    $4*\size, %rdx
        cmpq    $4*\size, %rdx
        ja      5b
        movq    %r10, %rdi
        movq    %r11, %rsi
        \rest
        .endm

        .macro copy_rest
        jmp     ctrycopy_copy
        .endm

        .macro copy_rest_avx2
        vzeroupper
        jmp     ctrycopy_copy
        .endm

        bound   ctrycopy_bulk_begin

        function ctrycopy_copy_in
        movq    %rsi, %r8
        leaq    -1(%rdx), %r9
        jmp     ctrycopy_copy
        end     ctrycopy_copy_in

        function ctrycopy_copy_out
        movq    %rdi, %r8
        leaq    -1(%rdx), %r9
        jmp     ctrycopy_copy
        end     ctrycopy_copy_out

        internal ctrycopy_copy
        cmpq    $16, %rdx
        jb      .Lcopy_below_16
        cmpq    $32, %rdx
        ja      .Lcopy_above_32
        movups  (%rsi), %xmm0
        movups  -16(%rsi,%rdx), %xmm1
        movups  %xmm0, (%rdi)
        movups  %xmm1, -16(%rdi,%rdx)
        return_nothing

        /* Counts of a power of two are one access of that size, which a pair of overlapping ones would not be. */
        .p2align 4
.Lcopy_below_16:
        cmpl    $8, %edx
        jb      .Lcopy_below_8
        movq    (%rsi), %rax
        je      1f
        movq    -8(%rsi,%rdx), %rcx
        movq    %rax, (%rdi)
        movq    %rcx, -8(%rdi,%rdx)
        return_nothing
1:
        movq    %rax, (%rdi)
        return_nothing

        .p2align 4
.Lcopy_below_8:
        cmpl    $4, %edx
        jb      .Lcopy_below_4
        movl    (%rsi), %eax
        je      1f
        movl    -4(%rsi,%rdx), %ecx
        movl    %eax, (%rdi)
        movl    %ecx, -4(%rdi,%rdx)
        return_nothing
1:
        movl    %eax, (%rdi)
        return_nothing

        .p2align 4
.Lcopy_below_4:
        cmpl    $2, %edx
        jb      .Lcopy_below_2
        movzwl  (%rsi), %eax
        je      1f
        movzbl  2(%rsi), %ecx
        movw    %ax, (%rdi)
        movb    %cl, 2(%rdi)
        return_nothing
1:
        movw    %ax, (%rdi)
        return_nothing

.Lcopy_below_2:
        testl   %edx, %edx
        jz      1f
        movzbl  (%rsi), %eax
        movb    %al, (%rdi)
1:
        return_nothing

        .p2align 4
.Lcopy_above_32:
        cmpb    $0, ctrycopy_uses_avx2(%rip)
        jne     ctrycopy_copy_avx2
        cmpq    $64, %rdx
        ja      .Lcopy_above_64
        copy_four movups, xmm, 16
        return_nothing
.Lcopy_above_64:
        copy_long movups, xmm, 16, return_nothing, copy_rest
        end     ctrycopy_copy

/* ---- fills: %rdi destination, %sil byte, %rdx count ---- */

        .macro fill_block move, vector, size
        \move   %\vector\()0, (%rdi)
        \move   %\vector\()0, \size(%rdi)
        \move   %\vector\()0, 2*\size(%rdi)
        \move   %\vector\()0, 3*\size(%rdi)
        .endm

        .macro fill_four move, vector, size
        \move   %\vector\()0, (%rdi)
        \move   %\vector\()0, \size(%rdi)
        \move   %\vector\()0, -2*\size(%rdi,%rdx)
        \move   %\vector\()0, -\size(%rdi,%rdx)
        .endm

        /* Fills more than 4 vectors, in the way of a copy of operands that lie apart. */
        .macro fill_long move, vector, size, done
        \move   %\vector\()0, (%rdi)
        leaq    -4*\size(%rdi,%rdx), %r10
        addq    $\size, %rdi
        andq    $-\size, %rdi
        cmpq    %r10, %rdi
        jae     2f
        .p2align 5
1:
        fill_block \move, \vector, \size
        addq    $4*\size, %rdi
        cmpq    %r10, %rdi
        jb      1b
2:
        movq    %r10, %rdi
        fill_block \move, \vector, \size
        \done
        .endm

        function ctrycopy_fill
        movq    %rdi, %r8
        leaq    -1(%rdx), %r9
        movzbl  %sil, %eax
        movabsq $0x0101010101010101, %rcx
        imulq   %rcx, %rax
        cmpq    $16, %rdx
        jb      .Lfill_below_16
        movq    %rax, %xmm0
        punpcklqdq %xmm0, %xmm0
        cmpq    $32, %rdx
        ja      .Lfill_above_32
        movups  %xmm0, (%rdi)
        movups  %xmm0, -16(%rdi,%rdx)
        return_nothing

        .p2align 4
.Lfill_below_16:
        cmpl    $8, %edx
        jb      .Lfill_below_8
        movq    %rax, (%rdi)
        je      1f
        movq    %rax, -8(%rdi,%rdx)
1:
        return_nothing

.Lfill_below_8:
        cmpl    $4, %edx
        jb      .Lfill_below_4
        movl    %eax, (%rdi)
        je      1f
        movl    %eax, -4(%rdi,%rdx)
1:
        return_nothing

.Lfill_below_4:
        cmpl    $2, %edx
        jb      .Lfill_below_2
        movw    %ax, (%rdi)
        je      1f
        movb    %al, 2(%rdi)
1:
        return_nothing

.Lfill_below_2:
        testl   %edx, %edx
        jz      1f
        movb    %al, (%rdi)
1:
        return_nothing

        .p2align 4
.Lfill_above_32:
        cmpb    $0, ctrycopy_uses_avx2(%rip)
        jne     ctrycopy_fill_avx2
        cmpq    $64, %rdx
        ja      .Lfill_above_64
        fill_four movups, xmm, 16
        return_nothing
.Lfill_above_64:
        fill_long movups, xmm, 16, return_nothing
        end     ctrycopy_fill

        bound   ctrycopy_bulk_end

/* ---- the same with 32-byte vectors, whose upper halves are dirty where a fault finds them ---- */

        bound   ctrycopy_avx2_begin

        internal ctrycopy_copy_avx2
        cmpq    $64, %rdx
        ja      1f
        vmovdqu (%rsi), %ymm0
        vmovdqu -32(%rsi,%rdx), %ymm1
        vmovdqu %ymm0, (%rdi)
        vmovdqu %ymm1, -32(%rdi,%rdx)
        return_nothing_avx2
        .p2align 4
1:
        cmpq    $128, %rdx
        ja      .Lcopy_above_128
        copy_four vmovdqu, ymm, 32
        return_nothing_avx2
.Lcopy_above_128:
        copy_long vmovdqu, ymm, 32, return_nothing_avx2, copy_rest_avx2
        end     ctrycopy_copy_avx2

        internal ctrycopy_fill_avx2
        vinserti128 $1, %xmm0, %ymm0, %ymm0
        cmpq    $64, %rdx
        ja      1f
        vmovdqu %ymm0, (%rdi)
        vmovdqu %ymm0, -32(%rdi,%rdx)
        return_nothing_avx2
        .p2align 4
1:
        cmpq    $128, %rdx
        ja      .Lfill_above_128
        fill_four vmovdqu, ymm, 32
        return_nothing_avx2
.Lfill_above_128:
        fill_long vmovdqu, ymm, 32, return_nothing_avx2
        end     ctrycopy_fill_avx2

        bound   ctrycopy_avx2_end

/* ---- where a fault resumes: recover.c has put the result into %rax and %rdx ---- */

        .hidden ctrycopy_resume
        .globl  ctrycopy_resume
        internal ctrycopy_resume
        ret
        end     ctrycopy_resume

        .hidden ctrycopy_resume_avx2
        .globl  ctrycopy_resume_avx2
        internal ctrycopy_resume_avx2
        vzeroupper
        ret
        end     ctrycopy_resume_avx2

        .section .note.GNU-stack, "", @progbits
