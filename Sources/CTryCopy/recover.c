/* Turning a fault of an accessor into its result. accessors.S says what is relied on. */
#define _GNU_SOURCE

#include "handler.h"
#include "ctrycopy.h"

extern const char ctrycopy_scalars_begin[], ctrycopy_scalars_end[];
extern const char ctrycopy_bulk_begin[], ctrycopy_bulk_end[];
extern const char ctrycopy_avx2_begin[], ctrycopy_avx2_end[];
extern const char ctrycopy_resume[], ctrycopy_resume_avx2[];

/* The guarded operand of an accessor: its first byte, and how far behind that its last one is. */
struct operand {
    uintptr_t first;
    uintptr_t span;
};

/* The first byte that user addresses cannot have on processors with four levels of page tables. */
static const uintptr_t first_not_canonical = (uintptr_t)1 << 47;

static bool is_within(uintptr_t instruction, const char *begin, const char *end) {
    return instruction - (uintptr_t)begin < (uintptr_t)end - (uintptr_t)begin;
}

static bool contains(struct operand operand, uintptr_t address) {
    return address - operand.first <= operand.span;
}

/*
 * The address of a general protection fault, which the processor does not tell. The accessors can only cause it with an
 * address that is not canonical, and then a pointer register holds one.
 */
static uintptr_t guess_address(const greg_t *registers, struct operand operand) {
    uintptr_t destination = (uintptr_t)registers[REG_RDI];
    bool is_destination = destination >= first_not_canonical && contains(operand, destination);
    return is_destination ? destination : (uintptr_t)registers[REG_RSI];
}

/* Finds which byte of the operand the fault is about. False if it is about none: a local operand's, or the stack. */
static bool find_address(
    int signal, const siginfo_t *info, const greg_t *registers, struct operand operand, uintptr_t *address) {
    uintptr_t reported = (uintptr_t)info->si_addr;

    if (signal == SIGSEGV && info->si_code == SI_KERNEL) {
        *address = guess_address(registers, operand);
        return *address >= first_not_canonical && contains(operand, *address);
    }
    if (signal == SIGBUS && info->si_code == BUS_ADRALN) {
        /* A lock across cache lines where the kernel forbids them; without an address too. */
        *address = operand.first;
        return true;
    }
    if (signal == SIGBUS && info->si_code == BUS_MCEERR_AR && reported < operand.first &&
        (operand.first - reported) >> info->si_addr_lsb == 0) {
        /* Memory errors are reported by the page, which may begin below the operand. */
        reported = operand.first;
    }
    *address = reported;
    return contains(operand, reported);
}

bool ctrycopy_recover_fault(int signal, const siginfo_t *info, ucontext_t *context) {
    greg_t *registers = context->uc_mcontext.gregs;
    uintptr_t instruction = (uintptr_t)registers[REG_RIP];
    struct operand operand = {(uintptr_t)registers[REG_R8], (uintptr_t)registers[REG_R9]};
    const char *resume = ctrycopy_resume;
    uintptr_t address;

    if (is_within(instruction, ctrycopy_scalars_begin, ctrycopy_scalars_end)) {
        operand = (struct operand){(uintptr_t)registers[REG_RDI], sizeof(uint64_t) - 1};
    } else if (is_within(instruction, ctrycopy_avx2_begin, ctrycopy_avx2_end)) {
        resume = ctrycopy_resume_avx2;
    } else if (!is_within(instruction, ctrycopy_bulk_begin, ctrycopy_bulk_end)) {
        return false;
    }
    if (!ctrycopy_is_synchronous(signal, info) || !find_address(signal, info, registers, operand, &address)) {
        return false;
    }
    registers[REG_RAX] = (greg_t)address;
    registers[REG_RDX] = (greg_t)((uint64_t)(uint32_t)info->si_code << 32 | (uint32_t)signal);
    registers[REG_RIP] = (greg_t)resume;
    return true;
}

_Static_assert(sizeof(struct ctrycopy_result) == 16 && offsetof(struct ctrycopy_result, signal) == 8 &&
                   offsetof(struct ctrycopy_result, code) == 12,
               "the result is %rax and the two halves of %rdx");
