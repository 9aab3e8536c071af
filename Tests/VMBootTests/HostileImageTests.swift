import Testing
import VMBoot

/// Whatever a file says, planning succeeds soundly or throws; reaching the end of a test is the assertion.
@Suite struct HostileImageTests {
    private static let samples: [[UInt8]] =
        [true, false].map { is64 in
            var builder = ELFBuilder(is64: is64)
            builder.segments.append(.init(physical: 0x20_0000, memorySize: 0x1000))
            builder.symbols = [
                .init(name: "start", address: 0x10_0000, size: 8), .init(name: "end", address: 0x10_0008),
            ]
            return builder.bytes()
        } + [MultibootBuilder.elf(), MultibootBuilder.kernel(loadEnd: 0x20_0080, bssEnd: 0x20_0100)]

    private func tryOut(_ bytes: [UInt8]) {
        let request = BootRequest(bytes)
        if let plan = try? BootPlan(request) {
            expectSound(plan, request)
        }
        if let symbols = SymbolTable(request.image) {
            for address in [0, 0x10_0004, 0x10_0ff0, .max] as [UInt64] { _ = symbols.symbol(at: address) }
        }
    }

    @Test(arguments: samples)
    func `no value of any byte makes it trap`(sample: [UInt8]) {
        for index in sample.indices {
            for value in [0, 0xff, ~sample[index], sample[index] ^ 0x80] {
                var bytes = sample
                bytes[index] = value
                tryOut(bytes)
            }
        }
    }

    @Test(arguments: samples)
    func `no length makes it trap`(sample: [UInt8]) {
        for count in 0..<sample.count { tryOut(Array(sample.prefix(count))) }
    }

    @Test(arguments: samples)
    func `no extreme number in any place makes it trap`(sample: [UInt8]) {
        let extremes: [UInt64] = [.max, .max - 0xfff, 1 << 63, 0x7fff_ffff_ffff_ffff, 0xffff_ffff]
        for index in stride(from: 0, to: sample.count - 8, by: 4) {
            for value in extremes {
                var bytes = sample
                bytes.set(value, at: index)
                tryOut(bytes)
                bytes = sample
                bytes.set(UInt32(truncatingIfNeeded: value), at: index)
                tryOut(bytes)
            }
        }
    }

    @Test(arguments: samples)
    func `no mixture of changed bytes makes it trap`(sample: [UInt8]) {
        // A fixed sequence (a linear congruential generator), so that a failure comes again.
        var state: UInt64 = 1
        func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
        for _ in 0..<500 {
            var bytes = sample
            for _ in 0..<4 { bytes[Int(next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: next()) }
            tryOut(bytes)
        }
    }
}
