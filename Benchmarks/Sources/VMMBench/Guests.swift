/// The guests of the benchmarks: raw 64-bit code.
enum BenchmarkGuest {
    /// One port write, as early as can be, and a halt.
    static let firstExit: [UInt8] = [
        0x66, 0xba, 0xf8, 0x03,  // mov $0x3f8, %dx
        0xee,  // out %al, %dx
        0xfa, 0xf4,  // cli; hlt
    ]

    /// A byte to the serial port, `count` writes to port 0x80, another byte to the serial port, and the end.
    static func portWrites(_ count: UInt32) -> [UInt8] {
        setPort + mark + loop(count, body: [0xe6, 0x80]) + exit  // out %al, $0x80
    }

    /// As `portWrites`, with a port write, a port read, an MMIO write and an MMIO read in each round, and with a few
    /// rounds ahead of the first mark.
    static func mixedAccesses(rounds: UInt32) -> [UInt8] {
        let body: [UInt8] = [
            0xe6, 0x80,  // out %al, $0x80
            0xe4, 0x80,  // in $0x80, %al
            0x89, 0x03,  // mov %eax, (%rbx)
            0x8b, 0x03,  // mov (%rbx), %eax
        ]
        // mov $0xd0000000, %ebx: no memory there
        return setPort + [0xbb, 0, 0, 0, 0xd0] + loop(16, body: body) + mark + loop(rounds, body: body) + exit
    }

    static let accessesPerRound = 4

    private static let setPort: [UInt8] = [0x66, 0xba, 0xf8, 0x03]  // mov $0x3f8, %dx
    private static let mark: [UInt8] = [0xee]  // out %al, %dx
    private static let exit: [UInt8] = mark + [0xe6, 0xf4, 0xf4]  // out %al, $0xf4; hlt

    private static func loop(_ count: UInt32, body: [UInt8]) -> [UInt8] {
        [0xb9] + (0..<4).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) }  // mov $count, %ecx
            + body
            + [0xff, 0xc9]  // dec %ecx
            + [0x75, UInt8(bitPattern: -Int8(body.count + 4))]  // jnz to the body
    }
}
