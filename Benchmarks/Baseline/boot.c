/* Guest memory and registers at the guest's first instruction: what VMBoot makes for flat64 and elf64 images. */
#include "machine.h"

#include <elf.h>
#include <string.h>

enum {
    GDT = 0x8000,
    PAGE_TABLES = 0x1000,
    COMMAND_LINE = 0x8100,
    STACK_END = 0x20000,
    FLAT_IMAGE = 0x100000,
    PAGE = 4096,
};

/* Page table entries. */
static const uint64_t present_writable = 0x3;
static const uint64_t large_page = 0x80;

static bool fits(uint64_t start, uint64_t count, uint64_t size) { return start <= size && count <= size - start; }

/* Returns the entry point. */
static uint64_t load_elf(uint8_t *memory, uint64_t memory_size, const struct baseline_guest *guest) {
    Elf64_Ehdr header;
    memcpy(&header, guest->image, sizeof header);
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
        fail("the guest is no 64-bit ELF executable");
    }
    for (unsigned i = 0; i < header.e_phnum; i++) {
        Elf64_Phdr segment;
        uint64_t offset = header.e_phoff + i * sizeof segment;
        if (!fits(offset, sizeof segment, guest->image_size)) fail("the guest's program headers are cut short");
        memcpy(&segment, guest->image + offset, sizeof segment);
        if (segment.p_type != PT_LOAD) continue;
        if (!fits(segment.p_offset, segment.p_filesz, guest->image_size) ||
            !fits(segment.p_paddr, segment.p_memsz, memory_size)) {
            fail("a segment of the guest does not fit");
        }
        memcpy(memory + segment.p_paddr, guest->image + segment.p_offset, segment.p_filesz);
    }
    return header.e_entry;
}

/* Returns the entry point. */
static uint64_t load_image(uint8_t *memory, uint64_t memory_size, const struct baseline_guest *guest) {
    if (guest->image_size >= sizeof(Elf64_Ehdr) && memcmp(guest->image, ELFMAG, SELFMAG) == 0) {
        return load_elf(memory, memory_size, guest);
    }
    if (!fits(FLAT_IMAGE, guest->image_size, memory_size)) fail("the guest does not fit its memory");
    memcpy(memory + FLAT_IMAGE, guest->image, guest->image_size);
    return FLAT_IMAGE;
}

/* The first 4 GiB mapped to themselves in pages of 2 MiB. */
static void write_page_tables(uint8_t *memory) {
    uint64_t *table = (uint64_t *)(void *)(memory + PAGE_TABLES);
    const unsigned entries = PAGE / sizeof *table;
    table[0] = (PAGE_TABLES + PAGE) | present_writable;
    for (unsigned i = 0; i < 4; i++) {
        table[entries + i] = (PAGE_TABLES + (uint64_t)(2 + i) * PAGE) | present_writable;
    }
    for (uint64_t i = 0; i < 4 * entries; i++) {
        table[2 * entries + i] = i << 21 | large_page | present_writable;
    }
    /* The first 2 MiB in small pages, without page 0 and the one below the stack. */
    table[2 * entries] = (PAGE_TABLES + UINT64_C(6) * PAGE) | present_writable;
    for (uint64_t i = 1; i < entries; i++) {
        if (i != 0xb) table[6 * entries + i] = i << 12 | present_writable;
    }
}

struct entry_state load_guest(uint8_t *memory, uint64_t memory_size, const struct baseline_guest *guest) {
    /* The null descriptor, flat 64-bit code and flat data; then `cli; 1: hlt; jmp 1b`, for the entry to return to. */
    static const uint64_t gdt[] = {0, 0x00af9b000000ffff, 0x00cf93000000ffff};
    static const uint8_t halt[] = {0xfa, 0xf4, 0xeb, 0xfd};
    static const uint64_t return_address = GDT + sizeof gdt;

    size_t line_size = strlen(guest->command_line) + 1;
    if (line_size > PAGE || memory_size < STACK_END) fail("the command line is too long, or the memory too small");
    uint64_t entry = load_image(memory, memory_size, guest);
    memcpy(memory + GDT, gdt, sizeof gdt);
    memcpy(memory + return_address, halt, sizeof halt);
    memcpy(memory + STACK_END - sizeof return_address, &return_address, sizeof return_address);
    write_page_tables(memory);
    memcpy(memory + COMMAND_LINE, guest->command_line, line_size);
    return (struct entry_state){
        .rip = entry,
        .rsp = STACK_END - sizeof return_address,
        .command_line = COMMAND_LINE,
        .gdt = GDT,
        .page_tables = PAGE_TABLES,
    };
}

void enter_long_mode(int vcpu, const struct entry_state *entry, uint64_t memory_size, uint64_t tsc_kilohertz) {
    struct kvm_sregs special;
    KVM_CALL(vcpu, KVM_GET_SREGS, &special);
    struct kvm_segment code = {
        .limit = UINT32_MAX, .selector = 0x08, .type = 0xb, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {
        .limit = UINT32_MAX, .selector = 0x10, .type = 0x3, .present = 1, .db = 1, .s = 1, .g = 1};
    special.cs = code;
    special.ds = special.es = special.fs = special.gs = special.ss = data;
    special.tr = (struct kvm_segment){.limit = 0xffff, .type = 0xb, .present = 1};
    special.ldt = (struct kvm_segment){.limit = 0xffff, .type = 0x2, .present = 1};
    special.gdt = (struct kvm_dtable){.base = entry->gdt, .limit = 23};
    special.idt = (struct kvm_dtable){.base = 0};
    special.cr0 = 0x80010033; /* PG, WP, NE, ET, MP, PE */
    special.cr3 = entry->page_tables;
    special.cr4 = 0x620;  /* PAE, OSFXSR, OSXMMEXCPT */
    special.efer = 0x500; /* LME, LMA */
    KVM_CALL(vcpu, KVM_SET_SREGS, &special);

    struct kvm_regs registers = {
        .rip = entry->rip,
        .rsp = entry->rsp,
        .rflags = 2,
        .rdi = entry->command_line,
        .rsi = memory_size,
        .rdx = 1, /* CPU */
        .rcx = tsc_kilohertz,
    };
    KVM_CALL(vcpu, KVM_SET_REGS, &registers);
}
