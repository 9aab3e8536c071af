import VMAddressSpace

/// A statically linked x86 executable: where its segments go and where it starts.
struct ELFExecutable {
    /// Far more than any linker makes, and few enough to read at once.
    static let maximumProgramHeaders: UInt16 = 1024

    private let image: GuestImage
    /// The address in the file's header, linked or physical.
    let entry: UInt64
    /// Sorted by physical address; none overlaps another.
    let segments: [ELFSegment]

    /// - Parameter fileClass: what the file has to be; nil for either.
    /// - Throws: `BootError` of kind `badImage`.
    init(_ image: GuestImage, as fileClass: ELFClass?) throws(BootError) {
        let header = try ELFHeader(image)
        if let fileClass, header.fileClass != fileClass {
            throw BootError(
                .badImage, image.name,
                "is \(header.fileClass.name), not \(fileClass.name); "
                    + "leave --format out or say --format \(header.fileClass)")
        }
        try Self.checkMachine(header, image)
        try Self.checkType(header, image)
        self.image = image
        self.entry = header.entry
        let programHeaders = try Self.programHeaders(header, image)
        guard !programHeaders.contains(where: { $0.type == ELFProgramHeader.interpreter }) else {
            throw BootError(
                .badImage, image.name, "needs a dynamic loader (it has PT_INTERP); link it with -static -no-pie")
        }
        self.segments = try Self.segments(programHeaders, image)
    }

    /// The guest-physical address of an entry point. A linked address comes first; kernels that are linked
    /// high often give a physical one.
    /// - Throws: `BootError` of kind `kind` where no segment has it.
    func physicalEntry(_ address: UInt64, _ kind: BootError.Kind) throws(BootError) -> GuestAddress {
        for segment in segments {
            if let physical = segment.physicalAddress(of: address) { return physical }
        }
        guard segments.contains(where: { $0.physical.contains(GuestAddress(address)) }) else {
            throw BootError(
                kind, image.name,
                "the entry point \(hex(address)) is outside every loaded segment; "
                    + "set one of the image's symbols with the linker's -e or --entry")
        }
        return GuestAddress(address)
    }

    private static func checkMachine(_ header: ELFHeader, _ image: GuestImage) throws(BootError) {
        guard header.machine != header.fileClass.machine else { return }
        let expected = header.fileClass == .elf64 ? "x86-64" : "i386"
        throw BootError(
            .badImage, image.name,
            "is \(header.fileClass.name) for \(machineName(header.machine)), not for \(expected); build it for x86")
    }

    private static func machineName(_ machine: UInt16) -> String {
        switch machine {
        case 2: "SPARC"
        case 3: "i386"
        case 8: "MIPS"
        case 20: "PowerPC"
        case 21: "PowerPC64"
        case 22: "s390"
        case 40: "Arm"
        case 62: "x86-64 (x32)"
        case 183: "AArch64"
        case 243: "RISC-V"
        case 258: "LoongArch"
        default: "machine \(machine)"
        }
    }

    private static func checkType(_ header: ELFHeader, _ image: GuestImage) throws(BootError) {
        let problem: String
        switch header.type {
        case 2: return
        case 1: problem = "is not linked (ET_REL, an object file); link it with ld or the compiler"
        case 3: problem = "is position-independent or a shared library (ET_DYN); link it with -static -no-pie"
        case 4: problem = "is a core dump (ET_CORE), not an executable"
        default: problem = "has ELF type \(header.type), not ET_EXEC (2); is it an executable?"
        }
        throw BootError(.badImage, image.name, problem)
    }

    private static func programHeaders(
        _ header: ELFHeader, _ image: GuestImage
    ) throws(BootError) -> [ELFProgramHeader] {
        let table = header.programHeaders
        let stride = header.fileClass.programHeaderSize
        guard table.count > 0 else {
            throw BootError(.badImage, image.name, "has no program headers, so nothing to load; is it linked?")
        }
        guard Int(table.stride) == stride else {
            throw BootError(
                .badImage, image.name,
                "has program headers of \(table.stride) bytes, \(header.fileClass.name) says \(stride); "
                    + "the file is damaged")
        }
        guard table.count <= maximumProgramHeaders else {
            throw BootError(
                .badImage, image.name,
                "has \(table.count) program headers, at most \(maximumProgramHeaders) are read; merge segments")
        }
        let byteCount = Int(table.count) * stride
        let (end, overflow) = table.offset.addingReportingOverflow(UInt64(byteCount))
        guard !overflow, end <= image.count else {
            throw BootError(
                .badImage, image.name,
                "has its program headers at offset \(hex(table.offset)), past the file's end at \(hex(image.count)); "
                    + "the file is cut short")
        }
        let fields = LittleEndianFields(try image.read(at: table.offset, count: byteCount))
        return (0..<Int(table.count)).map { index in
            ELFProgramHeader(fields.record(index, stride: stride), header.fileClass, index: index)
        }
    }

    private static func segments(
        _ headers: [ELFProgramHeader], _ image: GuestImage
    ) throws(BootError) -> [ELFSegment] {
        var segments: [ELFSegment] = []
        for header in headers where header.type == ELFProgramHeader.load {
            if let segment = try header.segment(of: image) { segments.append(segment) }
        }
        guard !segments.isEmpty else {
            throw BootError(.badImage, image.name, "has no loadable segment (PT_LOAD); is it linked?")
        }
        segments.sort { $0.physical.start < $1.physical.start }
        for (lower, upper) in zip(segments, segments.dropFirst()) where lower.physical.overlaps(upper.physical) {
            throw BootError(
                .badImage, image.name,
                "segments \(lower.index) at \(lower.physical) and \(upper.index) at \(upper.physical) overlap; "
                    + "check the load addresses in the linker script")
        }
        return segments
    }
}
