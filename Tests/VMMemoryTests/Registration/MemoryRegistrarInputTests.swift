import Testing
import VMAddressSpace
import VMMemory

@Suite("Numbers a registrar does not take")
struct MemoryRegistrarInputTests {
    private typealias Failure = MemoryRegistrar<RecordingTarget>.Failure
    private let target = RecordingTarget()

    @Test("An address space of too few or too many bits", arguments: [Int.min, -1, 0, 31, 53, 64, .max])
    func addressSpace(_ bits: Int) {
        #expect(throws: Failure.invalidAddressSpaceBits(bits)) {
            try MemoryRegistrar(target: target, addressSpaceBits: bits)
        }
    }

    @Test(
        "A chunk that is no power of two, smaller than a large page or larger than the address space",
        arguments: [0, 1, 0x1000, 1 << 20, 3 << 30, 2 << 30 + 0x1000, 1 << 41, 1 << 63, .max] as [UInt64])
    func chunkSize(_ size: UInt64) {
        #expect(throws: Failure.invalidChunkSize(size, addressSpaceBits: 40)) {
            try MemoryRegistrar(target: target, chunkSize: size, addressSpaceBits: 40)
        }
    }

    @Test(
        "An offset that is no multiple of the page size, or takes the address space past 2^64",
        arguments: [1, 0x800, 0x1001, .max, 0 &- 0x1000, 0 &- (1 << 40) + 0x1000] as [UInt64])
    func offset(_ offset: UInt64) {
        #expect(throws: Failure.invalidOffset(offset, addressSpaceBits: 40)) {
            try MemoryRegistrar(target: target, addressSpaceBits: 40, registrationOffset: offset)
        }
    }

    @Test("The highest offset takes the last page of RAM to the last page below 2^64")
    func highestOffset() throws {
        let registrar = try MemoryRegistrar(
            target: target, ram: [ramRange(1 << 40 - 0x1000, 0x1000)], addressSpaceBits: 40,
            registrationOffset: 0 &- (1 << 40))
        try registrar.expose(GuestAddress(1 << 40 - 1), count: 1)
        #expect(target.takeEvents() == [.register(ramRange(0 &- 0x1000, 0x1000))])
    }

    @Test(
        "Bytes that pass 2^64, however many",
        arguments: [(.max, 2), (2, .max), (.max, .max), (1 << 63, 1 << 63 + 1)] as [(UInt64, UInt64)])
    func pastEnd(_ address: UInt64, _ count: UInt64) throws {
        let registrar = try MemoryRegistrar(target: target, ram: [ramRange(0, 1 << 30)])
        #expect(throws: Failure.pastEnd(GuestAddress(address), count: count)) {
            try registrar.expose(GuestAddress(address), count: count)
        }
        #expect(target.takeEvents().isEmpty)
    }

    @Test(
        "RAM over RAM, at either end, within and around",
        arguments: [(0x1000, 0x2000), (0x4000, 0x2000), (0x3000, 0x1000), (0, 0x10000), (0x2000, 0x3000)]
            as [(UInt64, UInt64)])
    func overlap(_ start: UInt64, _ count: UInt64) throws {
        let present = ramRange(0x2000, 0x3000)
        let registrar = try MemoryRegistrar(target: target, ram: [present])
        #expect(throws: Failure.overlap(ramRange(start, count), existing: present)) {
            try registrar.addRAM(ramRange(start, count))
        }
        #expect(registrar.ram == [present])
        #expect(throws: Failure.self) { try MemoryRegistrar(target: target, ram: [ramRange(start, count), present]) }
    }

    @Test("RAM past the address space, wholly or by a page")
    func outside() throws {
        let registrar = try MemoryRegistrar(target: target, addressSpaceBits: 40)
        for range in [ramRange(1 << 40 - 0x1000, 0x2000), ramRange(1 << 40, 0x1000), .whole] {
            #expect(throws: Failure.outsideAddressSpace(range, addressSpaceBits: 40)) { try registrar.addRAM(range) }
        }
        #expect(registrar.ram.isEmpty)
    }

    @Test("Removing what is not RAM names the first part that is not, and changes nothing")
    func notRAM() throws {
        let ram = [ramRange(0x1000, 0x1000), ramRange(0x3000, 0x1000)]
        let registrar = try MemoryRegistrar(target: target, ram: ram)
        try registrar.expose(GuestAddress(0), count: 1)
        for (range, missing) in [
            (ramRange(0, 0x1000), ramRange(0, 0x1000)), (ramRange(0, 0x2000), ramRange(0, 0x1000)),
            (ramRange(0x1000, 0x3000), ramRange(0x2000, 0x1000)), (ramRange(0x3000, 0x2000), ramRange(0x4000, 0x1000)),
            (.whole, ramRange(0, 0x1000)),
        ] {
            #expect(throws: Failure.notRAM(range, missing: missing)) { try registrar.removeRAM(range) }
        }
        #expect(registrar.ram == ram)
        #expect(registrar.registeredRanges == ram)
        #expect(registrar.summary.activeThreadCount == 0)
    }

    @Test("Each error is a sentence with what was asked for and what was in the way")
    func descriptions() {
        let range = ramRange(0x1000, 0x1000)
        let fault = RegistrationFault(range: range, error: RecordingTarget.Refusal(call: .register))
        let undo = RegistrationFault(range: ramRange(0, 0x1000), error: RecordingTarget.Refusal(call: .unregister))
        let cases: [(Failure, [String])] = [
            (.invalidAddressSpaceBits(99), ["99 bits"]), (.noHostMemory(count: 77), ["77 bytes"]),
            (.invalidChunkSize(12, addressSpaceBits: 40), ["12 bytes", "2^40"]),
            (.invalidOffset(0x123, addressSpaceBits: 40), ["0x123", "2^40"]),
            (.pastEnd(GuestAddress(0xabc), count: 12), ["0xabc", "12 bytes"]),
            (.overlap(range, existing: ramRange(0, 0x2000)), ["[0x1000, 0x1fff]", "[0x0, 0x1fff]"]),
            (.outsideAddressSpace(range, addressSpaceBits: 40), ["[0x1000, 0x1fff]", "2^40"]),
            (.notRAM(range, missing: ramRange(0x1000, 0x1000)), ["[0x1000, 0x1fff]"]),
            (.wouldSplit(range, registered: ramRange(0, 0x2000)), ["[0x1000, 0x1fff]", "[0x0, 0x1fff]"]),
            (.registrationFailed(fault, notUndone: [undo]), ["[0x1000, 0x1fff]", "[0x0, 0xfff]", "Refusal"]),
            (.unregistrationFailed(fault), ["[0x1000, 0x1fff]", "Refusal"]),
        ]
        for (error, parts) in cases {
            for part in parts { #expect("\(error)".contains(part)) }
        }
    }
}
