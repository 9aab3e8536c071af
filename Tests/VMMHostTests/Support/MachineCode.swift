import TestSupport

/// Machine code for guests written in a test. It means the same in 32-bit and in 64-bit mode unless it says otherwise.
enum MachineCode {
    /// cli; hlt
    static let halt: [UInt8] = [0xfa, 0xf4]
    /// xor eax, eax
    static let clearEAX: [UInt8] = [0x31, 0xc0]
    /// out dx, al; ax; eax
    static let outByte: [UInt8] = [0xee]
    static let outWord: [UInt8] = [0x66, 0xef]
    static let outLong: [UInt8] = [0xef]
    /// in al, dx; ax; eax
    static let inByte: [UInt8] = [0xec]
    static let inWord: [UInt8] = [0x66, 0xed]
    static let inLong: [UInt8] = [0xed]

    static func loadEAX(_ value: UInt32) -> [UInt8] { [0xb8] + value.littleEndianBytes }
    static func loadECX(_ value: UInt32) -> [UInt8] { [0xb9] + value.littleEndianBytes }
    static func loadEDX(_ value: UInt32) -> [UInt8] { [0xba] + value.littleEndianBytes }
    static func loadEDI(_ value: UInt32) -> [UInt8] { [0xbf] + value.littleEndianBytes }

    /// mov eax, [address], in 32-bit mode only.
    static func loadEAX(from address: UInt32) -> [UInt8] { [0xa1] + address.littleEndianBytes }
    /// mov [address], eax, in 32-bit mode only.
    static func storeEAX(to address: UInt32) -> [UInt8] { [0xa3] + address.littleEndianBytes }

    /// Ends the run with the value of EAX.
    static let exitWithEAX = loadEDX(0xf4) + outLong

    /// call next; next: pop eax (or rax): the address after the call, 5 bytes further on.
    static let loadEAXWithAddress: [UInt8] = [0xe8, 0, 0, 0, 0, 0x58]

    static func print(_ character: Character) -> [UInt8] {
        loadEDX(0x3f8) + [0xb0, character.asciiValue ?? 0] + outByte
    }

    /// Prints the C string at ESI (or RSI): mov edx, 0x3f8; next: lodsb; test al, al; jz end; out dx, al; jmp next.
    static let printStringAtESI = loadEDX(0x3f8) + [0xac, 0x84, 0xc0, 0x74, 0x03, 0xee, 0xeb, 0xf8]
    /// mov esi, edi, for a string that is the first argument (mov rsi, rdi does not matter below 4 GiB).
    static let moveEDIToESI: [UInt8] = [0x89, 0xfe]
}

extension FixedWidthInteger {
    var littleEndianBytes: [UInt8] { withUnsafeBytes(of: littleEndian) { Array($0) } }
}

extension [UInt8] {
    /// Overwrites a field of a header.
    mutating func set<Number: FixedWidthInteger>(_ value: Number, at offset: Int) {
        replaceSubrange(offset..<(offset + Number.bitWidth / 8), with: value.littleEndianBytes)
    }

    func padded(to count: Int) -> [UInt8] {
        self + [UInt8](repeating: 0, count: Swift.max(0, count - self.count))
    }
}

/// A Multiboot kernel that says itself where it goes.
enum MultibootKernel {
    static let address: UInt32 = 0x20_0000
    static let headerSize: UInt32 = 32

    /// - Parameter addresses: header_addr, load_addr, load_end_addr, bss_end_addr and entry_addr, if not for `code` right
    ///   after the header.
    static func bytes(
        _ code: [UInt8] = MachineCode.halt, flags: UInt32 = 1 << 16, checksum: UInt32? = nil,
        addresses: [UInt32] = [address, address, 0, 0, address + headerSize]
    ) -> [UInt8] {
        let magic: UInt32 = 0x1bad_b002
        let words = [magic, flags, checksum ?? 0 &- (magic &+ flags)] + addresses
        return words.flatMap(\.littleEndianBytes) + code
    }
}

/// Runs a guest given as bytes, and reads the report on it.
func runBytes(
    _ bytes: [UInt8], _ flags: [String], guestArguments: [String] = []
) throws -> (run: FinishedRun, report: RunReport) {
    let folder = try TemporaryFolder()
    let file = try folder.file("guest", bytes)
    return try runReporting(flags + [file] + (guestArguments.isEmpty ? [] : ["--"] + guestArguments))
}
