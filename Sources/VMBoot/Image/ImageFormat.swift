/// The formats of guest images, and with them the state in which the guest is entered.
///
/// | Format | Loaded at | Enters | Gets |
/// |---|---|---|---|
/// | `flat16` | 0x7c00 | real mode at 0000:7c00; DS = ES = SS = 0, SP = 0x7c00 | DL = 0x80, DS:SI = command line |
/// | `flat32` | 0x100000 | protected mode, paging off, flat segments CS = 8, others 0x10 | EDI, ESI, EDX, ECX and the stack |
/// | `elf32` | `p_paddr` | as `flat32`, at `e_entry` | as `flat32` |
/// | `flat64` | 0x100000 | long mode, first 4 GiB identity-mapped but for page 0, CS = 8, others 0x10 | RDI, RSI, RDX, RCX |
/// | `elf64` | `p_paddr` | as `flat64`, at `e_entry` | as `flat64` |
/// | `multiboot` | as it says | as `flat32`, but without a stack | EAX = 0x2badb002, EBX = information |
///
/// - The four arguments are the address of the command line (a C string), the RAM's size in bytes (in 32
///   bits at most 0xffffffff), the number of CPUs and the rate of the time-stamp counter in kHz (0 where
///   unknown). `flat32` and `elf32` find the same four on the stack as well, so that a C function of either
///   calling convention (i386 System V, `regparm` aside, and x86-64 System V) can be the entry.
/// - The stack ends at 0x20000 and has at least 16 KiB (84 KiB unless the image is in its way), on top the address of
///   code that halts for good, and the alignment a called function expects: (ESP + 4) or (RSP + 8) is a multiple of 16.
/// - In long mode page 0 and the page below the stack, 0xb000, are not mapped, unless the image is there.
/// - Everywhere: interrupts off, RFLAGS = 2, other registers zero. The GDT is in memory; outside real mode
///   the IDT is empty (limit 0), and real mode has the interrupt vectors at 0.
/// - `flat32`: CR0 = PE | ET. `flat64`: CR0 = PG | WP | NE | ET | MP | PE, CR4 = PAE | OSFXSR | OSXMMEXCPT,
///   EFER = LME | LMA, so that SSE works from the first instruction.
/// - `flat16` elsewhere: loaded above 64 KiB, CS is the load address in paragraphs and IP the rest; SP goes
///   below 0x7c00 or elsewhere where the image covers that, with SS and DS nonzero only where no room is
///   left in the first 64 KiB.
/// - An ELF whose `p_paddr` differs from its `p_vaddr` is entered at the physical address of its entry.
///
/// GDT, page tables, command line, Multiboot information and stack are in low memory, from 0x500 up, each
/// moved to the lowest free pages below 4 GiB where the image or a module wants its place.
public enum ImageFormat: String, CaseIterable, Hashable, Sendable, Codable {
    /// Raw bytes for real mode; a boot sector above all.
    case flat16
    /// Raw bytes for 32-bit protected mode.
    case flat32
    /// Raw bytes for long mode.
    case flat64
    /// A static 32-bit ELF executable.
    case elf32
    /// A static 64-bit ELF executable.
    case elf64
    /// A kernel with a Multiboot 1 header, ELF or not.
    case multiboot
}

extension ImageFormat {
    /// The format that an image's content shows: ELF by its magic, and Multiboot if it has such a header;
    /// otherwise Multiboot with addresses in its header; otherwise a boot sector by its signature.
    /// - Throws: `BootError` of kind `badImage` where it shows none, or what reading it throws.
    public init(detecting image: GuestImage) throws(BootError) {
        let search = try MultibootHeader.search(image)
        if try ELFHeader.isMagic(of: image) {
            // The words of a header whose checksum is wrong are a constant that happens to be there.
            if case .found = search {
                self = .multiboot
            } else if try MultibootHeader.hasOnlySecondVersion(image) {
                throw BootError(
                    .badImage, image.name,
                    "has a header of Multiboot 2 only, which is not supported; "
                        + "add one of Multiboot 1, or run it from its ELF entry with --format elf32 or elf64")
            } else {
                self = try ELFHeader(image).fileClass == .elf64 ? .elf64 : .elf32
            }
        } else if case .found(let header) = search, header.hasAddresses {
            self = .multiboot
        } else if try Self.isLinuxKernel(image) {
            throw BootError(
                .badImage, image.name,
                "is a Linux kernel (bzImage), which this monitor does not boot; "
                    + "it boots ELF and Multiboot kernels, boot sectors and raw binaries")
        } else if try Self.hasBootSignature(image) {
            self = .flat16
        } else {
            throw BootError(.badImage, image.name, Self.unrecognised(search))
        }
    }

    /// Its header begins with this word, beside the signature of a boot sector (Linux, Documentation/arch/x86/boot.rst).
    private static func isLinuxKernel(_ image: GuestImage) throws(BootError) -> Bool {
        guard image.count >= 1024 else { return false }
        return try image.read(at: 0x202, count: 4) == Array("HdrS".utf8)
    }

    private static func hasBootSignature(_ image: GuestImage) throws(BootError) -> Bool {
        guard image.count >= 512 else { return false }
        return try image.read(at: 510, count: 2) == [0x55, 0xaa]
    }

    private static func unrecognised(_ search: MultibootHeader.Search) -> String {
        let advice = "; a raw binary runs with --format flat16, flat32 or flat64"
        return switch search {
        case .found(let header):
            "has a Multiboot header at offset \(hex(header.offset)) but is no ELF and gives no load addresses "
                + "(flag bit 16)" + advice
        case .badChecksum(let bad):
            "is no recognised format; " + bad.description + advice
        case .absent:
            "is no recognised format (ELF, Multiboot, boot sector)" + advice
        }
    }
}

extension ImageFormat {
    /// Whether images of this format are bytes without any addresses of their own.
    var isFlat: Bool {
        switch self {
        case .flat16, .flat32, .flat64: true
        case .elf32, .elf64, .multiboot: false
        }
    }
}
